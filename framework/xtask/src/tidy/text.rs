//! What no file may hold: code that the compiler does not check, and paths of the machine that it was written on.

use super::File;
use std::path::Path;

/// In pieces, so that this file holds none of them.
const UNCHECKED: &[&str] = &[
    concat!("unsafe", " {"),
    concat!("unsafe", " fn"),
    concat!("unsafe", " impl"),
    concat!("unsafe", " extern"),
];

/// Folders that belong to one person or machine.
const PRIVATE: &[&str] = &[concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Where the workspace's lints are taken on.
const LINTS: &str = "[lints]\nworkspace = true";

/// What is wrong with the texts.
pub(crate) fn check(files: &[File], root: &Path) -> Vec<String> {
    let root = root.to_string_lossy().into_owned();
    let mut problems = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            let at = format!("{}:{}", file.path, number + 1);
            let is_comment = line.trim_start().starts_with("//");
            if file.is("rs") && !is_comment && UNCHECKED.iter().any(|word| line.contains(word)) {
                problems.push(format!("{at}: code that the compiler does not check is forbidden here"));
            }
            let private = PRIVATE.iter().find(|path| begins_path(line, path)).copied();
            if let Some(path) = private.or_else(|| line.contains(&root).then_some(root.as_str())) {
                problems.push(format!("{at}: names {path}, a folder of one machine"));
            }
        }
        if is_crate(file) && !file.text.contains(LINTS) {
            problems.push(format!(
                "{}: take on the workspace's lints: {}",
                file.path,
                LINTS.replace('\n', ", ")
            ));
        }
    }
    problems
}

/// Whether a path in the line begins with `folder`: `public/x/` has no part in a folder `/x/`.
fn begins_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        !before.is_some_and(|before| before.is_alphanumeric() || matches!(before, '.' | '_' | '-' | '~'))
    })
}

/// A manifest of the workspace, and none of those that tests compile.
fn is_crate(file: &File) -> bool {
    file.path.ends_with("/Cargo.toml") && !file.path.contains("/tests/") && file.text.contains("[package]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_words_are_found_where_they_count() {
        let unchecked = format!("let x = {} y }};", UNCHECKED[0]);
        for (path, text, fine) in [
            ("a.rs", unchecked.clone(), false),
            ("a.rs", format!("// {unchecked}"), true),
            ("a.md", unchecked, true),
            ("a.md", format!("see {}me/notes", PRIVATE[0]), false),
            ("a.md", format!("in `public{}x`", PRIVATE[0]), true),
            ("a.sh", "cd /somewhere/clone".to_owned(), false),
            ("a.sh", "cd /usr/src".to_owned(), true),
            ("a/Cargo.toml", "[package]\nname = \"a\"\n".to_owned(), false),
            ("a/Cargo.toml", format!("[package]\nname = \"a\"\n\n{LINTS}\n"), true),
            ("a/tests/ui/Cargo.toml", "[package]\n".to_owned(), true),
        ] {
            let problems = check(&[File::new(path, &text)], Path::new("/somewhere/clone"));
            assert_eq!(problems.is_empty(), fine, "{path} {text}: {problems:?}");
        }
    }
}
