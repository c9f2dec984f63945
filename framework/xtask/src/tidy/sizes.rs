//! How long files are: a file that one reads in one sitting.

use super::File;

/// Half of the files are shorter than this.
const MEDIAN: usize = 150;
/// Nine of ten files are no longer than this.
const MOST: usize = 450;
/// No file is longer, but for tests and what a program wrote.
const LONGEST: usize = 900;

/// What people write and read as code.
const CODE: &[&str] = &["rs", "mjs", "js", "ts", "css", "sh"];

/// Says near its top that nobody reads it.
const GENERATED: &str = "@generated";

/// What is wrong with the lengths.
pub(crate) fn check(files: &[File]) -> Vec<String> {
    let lines = |file: &File| file.text.lines().count();
    let is_code = |file: &&File| {
        CODE.iter().any(|extension| file.is(extension)) && !is_generated(file) && !file.is_test()
    };
    let code: Vec<_> = files.iter().filter(is_code).collect();
    let mut problems: Vec<String> = code
        .iter()
        .filter(|file| lines(file) > LONGEST)
        .map(|file| format!("{} has {} lines; none may have more than {LONGEST}", file.path, lines(file)))
        .collect();
    let mut all: Vec<usize> = code.iter().filter(|file| file.is("rs")).map(|file| lines(file)).collect();
    all.sort_unstable();
    let at = |percent: usize| all.get(all.len().saturating_sub(1) * percent / 100).copied().unwrap_or(0);
    if at(50) >= MEDIAN {
        problems.push(format!("half of the files have {} lines or more; the aim is below {MEDIAN}", at(50)));
    }
    if at(90) > MOST {
        problems.push(format!("one file in ten has {} lines or more; the aim is at most {MOST}", at(90)));
    }
    problems
}

fn is_generated(file: &File) -> bool {
    file.text.lines().take(5).any(|line| line.contains(GENERATED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, lines: usize) -> File {
        File::new(path, &"x\n".repeat(lines))
    }

    #[test]
    fn a_file_that_is_too_long_is_named_unless_it_is_a_test_or_generated() {
        let short: Vec<_> = (0..20).map(|n| file(&format!("src/{n}.rs"), 10)).collect();
        for (path, lines, fine) in [
            ("src/long.rs", 901, false),
            ("src/long.rs", 900, true),
            ("public/style.css", 901, false),
            ("crate/tests/long.rs", 2_000, true),
            ("e2e/browser/a.test.mjs", 2_000, true),
            ("Cargo.lock", 9_000, true),
            ("README.md", 2_000, true),
        ] {
            let mut files = short.clone();
            files.push(file(path, lines));
            assert_eq!(check(&files).is_empty(), fine, "{path} {lines}");
        }
        let mut files = short;
        files.push(File::new("src/table.rs", &format!("// @generated\n{}", "x\n".repeat(2_000))));
        assert!(check(&files).is_empty());
    }

    #[test]
    fn the_median_and_the_ninth_tenth_are_held() {
        let many =
            |lines: usize, number: usize| (0..number).map(move |n| file(&format!("{lines}/{n}.rs"), lines));
        assert!(check(&many(149, 10).collect::<Vec<_>>()).is_empty());
        assert_eq!(check(&many(150, 10).collect::<Vec<_>>()).len(), 1);
        let mixed: Vec<_> = many(100, 8).chain(many(451, 3)).collect();
        assert!(check(&mixed).iter().any(|problem| problem.contains("one file in ten")));
    }
}
