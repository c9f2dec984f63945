//! How a case ends: held, failed with a message that can be read, or skipped with the reason.

use std::{fmt, io};

/// Why a case did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Expectation and answer differ.
    Failed(String),
    /// What the case needs is not there.
    Skipped(String),
}

/// How a case ends.
pub type Outcome = Result<(), Problem>;

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Failed(why) | Problem::Skipped(why) => f.write_str(why),
        }
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Problem::Failed(format!("input or output failed: {error}"))
    }
}

impl From<tropos_parts::Error> for Problem {
    fn from(error: tropos_parts::Error) -> Self {
        match error {
            tropos_parts::Error::Missing { .. } => Problem::Skipped(error.to_string()),
            error => Problem::Failed(error.to_string()),
        }
    }
}

impl Problem {
    /// Puts what was done at the time before the message.
    #[must_use]
    pub fn during(self, what: &str) -> Self {
        match self {
            Problem::Failed(why) => Problem::Failed(format!("{what}: {why}")),
            skipped => skipped,
        }
    }
}

/// Fails with a message.
///
/// # Errors
/// Always.
pub fn fail<T>(message: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Failed(message.into()))
}

/// Holds when `condition` does.
///
/// # Errors
/// [`Problem::Failed`] with `message`.
pub fn that(condition: bool, message: impl Into<String>) -> Outcome {
    if condition { Ok(()) } else { fail(message) }
}

/// Holds when both are equal.
///
/// # Errors
/// [`Problem::Failed`] that shows both.
pub fn equal<T: fmt::Debug + PartialEq<U>, U: fmt::Debug>(what: &str, found: T, expected: U) -> Outcome {
    that(found == expected, format!("{what}\n  expected  {expected:?}\n  found     {found:?}"))
}

/// Holds when the number lies within the range.
///
/// # Errors
/// [`Problem::Failed`] that shows both.
pub fn within<T: fmt::Debug + PartialOrd>(
    what: &str,
    found: T,
    range: std::ops::RangeInclusive<T>,
) -> Outcome {
    let expected = format!("{:?} to {:?}", range.start(), range.end());
    that(range.contains(&found), format!("{what}\n  expected  {expected}\n  found     {found:?}"))
}
