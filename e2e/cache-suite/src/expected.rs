//! The checked-in list: which cases pass, and why the others do not.
//!
//! A line for each case: `passed ID`, or `failed ID REASON`. Lines that begin with `#` are remarks.

use crate::{Error, node::Outcomes};
use std::{collections::BTreeMap, fmt::Write as _};

/// `None`: it passes; a text: why it does not.
pub(crate) type Expected = BTreeMap<String, Option<String>>;

/// What a new case without a reason is listed with.
const NO_REASON: &str = "(say why)";

/// Reads the list.
pub(crate) fn read(text: &str) -> Result<Expected, Error> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut expected = Expected::new();
    for line in lines {
        let mut words = line.splitn(3, ' ');
        let (outcome, id, reason) = (words.next(), words.next(), words.next());
        let reason = match (outcome, reason) {
            (Some("passed"), None) => None,
            (Some("failed"), Some(reason)) => Some(reason.to_owned()),
            _ => {
                return Err(
                    format!("expected.txt: neither `passed ID` nor `failed ID REASON`: {line}").into()
                );
            }
        };
        expected.insert(id.unwrap_or_default().to_owned(), reason);
    }
    Ok(expected)
}

/// The list that this result makes, with the reasons known so far.
pub(crate) fn write(head: &str, required: &[String], outcomes: &Outcomes, known: &Expected) -> String {
    let mut text = head.to_owned();
    for id in required {
        let passed = outcomes.get(id).is_some_and(|outcome| outcome.passed());
        let reason = known.get(id).and_then(Option::as_deref).unwrap_or(NO_REASON);
        let written =
            if passed { writeln!(text, "passed {id}") } else { writeln!(text, "failed {id} {reason}") };
        // A text takes all that is written to it.
        let _ = written;
    }
    text
}

/// What a result came to, held to the list.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct Verdict {
    /// Passed, as listed.
    pub(crate) passed: usize,
    /// Failed, as listed.
    pub(crate) failed_as_listed: usize,
    /// Listed as passed, and failed.
    pub(crate) lost: Vec<String>,
    /// Listed as failed, and passed: the list is to be brought up to date.
    pub(crate) won: Vec<String>,
    /// In the suite or in the list, but not in both.
    pub(crate) unknown: Vec<String>,
}

impl Verdict {
    pub(crate) fn of(required: &[String], outcomes: &Outcomes, expected: &Expected) -> Self {
        let mut verdict = Self::default();
        for id in required {
            let passed = outcomes.get(id).is_some_and(|outcome| outcome.passed());
            match (expected.get(id), passed) {
                (None, _) => verdict.unknown.push(id.clone()),
                (Some(None), true) => verdict.passed += 1,
                (Some(None), false) => verdict.lost.push(id.clone()),
                (Some(Some(_)), false) => verdict.failed_as_listed += 1,
                (Some(Some(_)), true) => verdict.won.push(id.clone()),
            }
        }
        let gone = expected.keys().filter(|id| !required.contains(id));
        verdict.unknown.extend(gone.cloned());
        verdict
    }

    /// What is not as the list says.
    pub(crate) fn problems(&self) -> usize {
        self.lost.len() + self.won.len() + self.unknown.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Outcome;

    #[test]
    fn a_result_is_held_to_the_list() {
        let expected =
            read("# remark\npassed a\npassed b\nfailed c not ours to say\nfailed d why\npassed gone\n");
        let expected = expected.unwrap();
        let failed = || Outcome::Failed("Assertion".into(), "it rained".into());
        let outcomes = Outcomes::from([
            ("a".into(), Outcome::Passed(true)),
            ("b".into(), failed()),
            ("c".into(), failed()),
            ("d".into(), Outcome::Passed(true)),
        ]);
        let required: Vec<_> = ["a", "b", "c", "d", "new"].map(str::to_owned).into();
        let verdict = Verdict::of(&required, &outcomes, &expected);
        assert_eq!(
            verdict,
            Verdict {
                passed: 1,
                failed_as_listed: 1,
                lost: vec!["b".into()],
                won: vec!["d".into()],
                unknown: vec!["new".into(), "gone".into()],
            }
        );
        assert_eq!(verdict.problems(), 4);
        let written = write("# remark\n", &required, &outcomes, &expected);
        assert_eq!(
            written,
            "# remark\npassed a\nfailed b (say why)\nfailed c not ours to say\npassed d\nfailed new (say why)\n"
        );
        assert!(read("failed a").is_err());
    }
}
