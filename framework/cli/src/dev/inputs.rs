//! What a build was made of, from the dep-info that cargo leaves beside it.

use crate::Error;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Files that a build read.
pub(crate) type Inputs = BTreeSet<PathBuf>;

/// Reads the dep-info beside a program or module: `target/debug/shop.d` for `target/debug/shop`. It names the files of the
/// package and of all packages that it depends on by path, with those that macros included.
///
/// # Errors
/// Where it cannot be read.
pub(crate) fn read(artifact: &Path) -> Result<Inputs, Error> {
    let path = artifact.with_extension("d");
    let text = std::fs::read_to_string(&path).map_err(Error::file("reading", path))?;
    Ok(parse(&text))
}

/// Make's form: `target: file file …`, a blank within a name behind a backslash.
fn parse(text: &str) -> Inputs {
    let mut inputs = Inputs::new();
    for line in text.lines() {
        let Some((_, files)) = line.split_once(": ") else { continue };
        let mut name = String::new();
        let mut characters = files.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\\' if characters.peek() == Some(&' ') => {
                    name.push(' ');
                    characters.next();
                }
                ' ' if name.is_empty() => {}
                ' ' => {
                    inputs.insert(PathBuf::from(std::mem::take(&mut name)));
                }
                other => name.push(other),
            }
        }
        if !name.is_empty() {
            inputs.insert(PathBuf::from(name));
        }
    }
    inputs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_also_with_blanks_in_their_names() {
        let text = "/t/debug/shop: /a/build.rs /a/src/my\\ page.rs /a/src/main.rs\n\n/b: /c/d.sql\n";
        let names: Vec<_> = parse(text).into_iter().map(|path| path.display().to_string()).collect();
        assert_eq!(names, ["/a/build.rs", "/a/src/main.rs", "/a/src/my page.rs", "/c/d.sql"]);
        assert!(parse("").is_empty() && parse("/t/debug/shop:\n").is_empty());
    }
}
