//! The sums that test runners print.

/// Tests that passed and failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Count {
    /// Adds what a line says, where it is a sum of one of the runners in use.
    pub(crate) fn read(&mut self, line: &str) {
        let line = plain(line);
        let line = line.trim();
        if line.starts_with("test result:") {
            // Cargo, once for each program of tests.
            self.add(line);
        } else if line.starts_with("Summary [") {
            // nextest, which counts what never ended by itself apart from what failed.
            self.add(line);
            self.failed += before(line, "timed out").unwrap_or(0);
        } else if let Some(rest) = line.strip_prefix("ℹ ").or_else(|| line.strip_prefix("# ")) {
            // Node, a line for each sum.
            match rest.split_once(' ') {
                Some(("pass", number)) => self.passed += number.parse().unwrap_or(0),
                Some(("fail" | "cancelled", number)) => self.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        } else if line.starts_with(|c: char| c.is_ascii_digit()) && line.contains(" passed, ") {
            // The cases.
            self.add(line);
        }
    }

    fn add(&mut self, line: &str) {
        self.passed += before(line, "passed").unwrap_or(0);
        self.failed += before(line, "failed").unwrap_or(0);
    }
}

/// The number in front of a word: 7 for `failed` in `3 passed, 7 failed`.
fn before(line: &str, word: &str) -> Option<u64> {
    let (head, _) = line.split_once(&format!(" {word}"))?;
    head.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The line without the codes of colours.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut in_code = false;
    for c in line.chars() {
        match c {
            '\u{1b}' => in_code = true,
            'm' if in_code => in_code = false,
            c if !in_code => out.push(c),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_of_each_runner_are_read_and_nothing_else() {
        for (name, text, passed, failed) in [
            ("cargo", "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured", 12, 0),
            ("cargo, failing", "test result: FAILED. 1 passed; 2 failed; 0 ignored", 1, 2),
            (
                "cargo, twice",
                "test result: ok. 1 passed; 0 failed\ntest result: ok. 2 passed; 0 failed",
                3,
                0,
            ),
            ("nextest", "     Summary [   0.225s] 50 tests run: 50 passed, 0 skipped", 50, 0),
            (
                "nextest, failing",
                "     Summary [   0.272s] 41/50 tests run: 40 passed, 1 failed, 0 skipped",
                40,
                1,
            ),
            (
                "nextest, slow",
                "Summary [ 60.0s] 3 tests run: 2 passed (1 slow), 1 timed out, 0 skipped",
                2,
                1,
            ),
            (
                "nextest, in colour",
                "\u{1b}[32;1m     Summary\u{1b}[0m [ 0.2s] \u{1b}[1m5\u{1b}[0m tests run: \u{1b}[1m5\u{1b}[0m passed",
                5,
                0,
            ),
            ("node", "ℹ tests 7\nℹ pass 5\nℹ fail 1\nℹ cancelled 1\nℹ duration_ms 12", 5, 2),
            ("node, as TAP", "# pass 5\n# fail 0", 5, 0),
            ("the cases", "38 passed, 2 failed, 1 skipped", 38, 2),
            ("a test's name", "test reads_3_passed_lines ... ok", 0, 0),
            ("prose", "of which 3 passed, 4 failed", 0, 0),
        ] {
            let mut count = Count::default();
            text.lines().for_each(|line| count.read(line));
            assert_eq!(count, Count { passed, failed }, "{name}");
        }
    }
}
