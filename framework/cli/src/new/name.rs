//! Which names an application may have: those of a crate that nothing else goes by.

use crate::Error;

/// As long as crates.io takes.
const LONGEST: usize = 64;

/// Words of the language, in every edition, and those that it has set aside.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static",
    "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual",
    "where", "while", "yield",
];

/// Crates that come with the language, and one by which cargo calls its test runner.
const STANDARD: &[&str] = &["alloc", "core", "proc_macro", "proc-macro", "std", "test"];

/// What the application depends on: a package cannot depend on one of its own name.
const DEPENDENCIES: &[&str] = &["leptos", "serde", "sqlx", "tokio", "tropos"];

/// Folders that cargo makes beside the program.
const FOLDERS: &[&str] = &["build", "deps", "examples", "incremental"];

/// Names that Windows keeps for devices.
const DEVICES: &[&str] = &["aux", "con", "nul", "prn"];

/// Whether an application may have this name.
///
/// # Errors
/// [`Error::Name`], with one that it may have.
pub(crate) fn check(name: &str) -> Result<(), Error> {
    match problem(name) {
        None => Ok(()),
        Some(why) => Err(Error::Name { name: name.to_owned(), why, instead: instead(name) }),
    }
}

fn problem(name: &str) -> Option<&'static str> {
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.is_empty() {
        Some("there is nothing in it")
    } else if !name.chars().all(is_letter) {
        Some("a crate's name is of small letters a to z, digits, `-` and `_`")
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        Some("a crate's name begins with a letter")
    } else if name.len() > LONGEST {
        Some("a crate's name has at most 64 characters")
    } else if KEYWORDS.contains(&name) {
        Some("it is a word of the language")
    } else if STANDARD.contains(&name) {
        Some("a crate of the language has it")
    } else if DEPENDENCIES.contains(&name) || name.starts_with("tropos-") || name.starts_with("tropos_") {
        Some("a crate that the application depends on has it")
    } else if FOLDERS.contains(&name) {
        Some("cargo has a folder of that name where it puts programs")
    } else if DEVICES.contains(&name) {
        Some("Windows keeps it for a device")
    } else {
        None
    }
}

/// The nearest name that will do.
fn instead(name: &str) -> String {
    let letters = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' });
    let letters: String = letters.collect::<String>().to_ascii_lowercase();
    let mut words: Vec<_> = letters.split('-').filter(|word| !word.is_empty()).collect();
    if words.first() == Some(&"tropos") {
        words.remove(0);
    }
    let mut near: String = words.join("-").trim_matches(['-', '_']).chars().take(LONGEST).collect();
    if near.is_empty() {
        near.push_str("app");
    }
    if problem(&near).is_none() {
        return near;
    }
    let short: String = near.chars().take(LONGEST - "app-".len()).collect();
    let candidates = [format!("{short}-app"), format!("app-{short}")];
    candidates.into_iter().find(|name| problem(name).is_none()).unwrap_or_else(|| "app".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_crates_are_taken() {
        for name in ["shop", "my-shop", "my_shop", "a", "shop2", "testing", "core-shop", "r2"] {
            assert_eq!(problem(name), None, "{name}");
        }
    }

    #[test]
    fn other_names_are_refused_with_one_that_will_do() {
        for (name, nearest) in [
            ("", "app"),
            ("Shop", "shop"),
            ("my shop", "my-shop"),
            ("my.shop!", "my-shop"),
            ("café", "caf"),
            ("日本", "app"),
            ("2shop", "app-2shop"),
            ("-shop", "shop"),
            ("_shop", "shop"),
            ("match", "match-app"),
            ("gen", "gen-app"),
            ("self", "self-app"),
            ("test", "test-app"),
            ("core", "core-app"),
            ("std", "std-app"),
            ("proc-macro", "proc-macro-app"),
            ("tropos", "app"),
            ("tropos-server", "server"),
            ("leptos", "leptos-app"),
            ("sqlx", "sqlx-app"),
            ("build", "build-app"),
            ("nul", "nul-app"),
        ] {
            let error = check(name).unwrap_err().to_string();
            assert!(error.contains(&format!("`{nearest}`")), "{name}: {error}");
            assert_eq!(problem(nearest), None, "{nearest}");
        }
        let long = "a".repeat(65);
        assert!(check(&long).is_err());
        assert_eq!(problem(&instead(&long)), None);
    }

    #[test]
    fn what_is_proposed_may_always_be_had() {
        for name in ["tropos_x", "tropos-tropos-match", "9", "a--b", "TEST", "ünder", "--", "In"] {
            assert_eq!(problem(&instead(name)), None, "{name} -> {}", instead(name));
        }
    }
}
