//! Each variable of the environment that code reads is documented.

use super::File;
use std::collections::BTreeMap;

/// What all of them begin with. In two parts, so that this file names none.
const PREFIX: &str = concat!("TROPOS", "_");

/// Where readers look for them.
const REFERENCE: &str = "docs/reference/";

/// Variables that code names and no page of the reference does.
pub(crate) fn check(files: &[File]) -> Vec<String> {
    let documented: Vec<_> =
        files.iter().filter(|file| file.path.starts_with(REFERENCE) && file.is("md")).collect();
    let mut used: BTreeMap<&str, &str> = BTreeMap::new();
    for file in files.iter().filter(|file| file.is("rs") && !file.is_test()) {
        for name in names(without_tests(&file.text)) {
            used.entry(name).or_insert(&file.path);
        }
    }
    let is_documented = |name: &str| documented.iter().any(|page| names(&page.text).contains(&name));
    used.into_iter()
        .filter(|(name, _)| !is_documented(name))
        .map(|(name, path)| format!("{path} names {name}, and no page in {REFERENCE} does"))
        .collect()
}

/// Unit tests name variables that nobody sets.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

fn names(text: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c: char| !is_name(c));
    words.filter(|word| word.len() > PREFIX.len() && word.starts_with(PREFIX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_no_page_of_the_reference_names_is_found() {
        let code = File::new(
            "a/src/lib.rs",
            &format!("x(\"{PREFIX}ADDR\"); y(\"{PREFIX}LOG\");\n#[cfg(test)]\n\"{PREFIX}ADR\""),
        );
        let page =
            File::new("docs/reference/configuration.md", &format!("| `{PREFIX}ADDR` | … |\n{PREFIX}LOGS"));
        let elsewhere = File::new("docs/guide.md", &format!("{PREFIX}LOG"));
        let test = File::new("a/tests/x.rs", &format!("{PREFIX}OTHER"));
        let problems = check(&[code, page, elsewhere, test]);
        assert_eq!(
            problems,
            [format!("a/src/lib.rs names {PREFIX}LOG, and no page in docs/reference/ does")]
        );
    }
}
