//! The four modes of a route.

use std::fmt;

/// How a route's HTML comes to be. Every route declares exactly one.
///
/// ```
/// use tropos_core::Mode;
/// assert_eq!(Mode::Isr.to_string(), "isr");
/// assert!(Mode::Isr.is_stored() && !Mode::Live.is_stored());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// Made at build, never by a running server.
    Ssg,
    /// Made at build or at the first request, and again when stale or invalidated.
    Isr,
    /// Made for every request, streamed.
    Server,
    /// Made for every request, and again, pushed into the open page, whenever a tag that it read is invalidated.
    Live,
}

impl Mode {
    /// The word that headers, tables and messages use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Ssg => "ssg",
            Mode::Isr => "isr",
            Mode::Server => "server",
            Mode::Live => "live",
        }
    }

    /// Whether one render answers many requests, so that it may read nothing of any of them.
    pub const fn is_stored(self) -> bool {
        matches!(self, Mode::Ssg | Mode::Isr)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
