//! An error, and what is known of the request in which it happened.

use tropos_core::UnixMillis;

/// Where an error came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Code panicked: a render, a server function, a task.
    Panic,
    /// A page failed, and its reader saw the error page.
    Page,
    /// A page or cached function could not be made anew; the last good one is given meanwhile.
    Regeneration,
    /// An open live page could not be rendered again; what it shows stays.
    Live,
    /// A server function or API handler failed.
    Function,
    /// The application has handled it itself, and says so.
    Handled,
    /// A hook failed, and with it the request.
    Hook,
    /// A script or island failed in a reader's browser.
    Browser,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Panic,
        Self::Page,
        Self::Regeneration,
        Self::Live,
        Self::Function,
        Self::Handled,
        Self::Hook,
        Self::Browser,
    ];

    /// The word for it, in tags and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Page => "page",
            Self::Regeneration => "regeneration",
            Self::Live => "live",
            Self::Function => "function",
            Self::Handled => "handled",
            Self::Hook => "hook",
            Self::Browser => "browser",
        }
    }
}

/// One call of a stack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// The function, where it is known.
    pub function: Option<String>,
    /// The file, without the folders of the machine that compiled it.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The column, from 1.
    pub column: Option<u32>,
    /// Whether it is the application's own code.
    pub in_app: bool,
}

/// Something that happened before the error in the same request: a query, a fetch, a look into the cache. Without values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breadcrumb {
    /// When it ended, in milliseconds since 1970.
    pub at: UnixMillis,
    /// `query`, `fetch`, `cache` and so on.
    pub category: String,
    /// What it was: the summary of a query, the host of a fetch.
    pub message: String,
    /// How long it took, in milliseconds.
    pub took_ms: Option<u64>,
    /// Whether it failed.
    pub failed: bool,
}

/// An error as listeners and Sentry are told of it: personal data has been taken out of its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorReport {
    /// Where it came from.
    pub kind: Kind,
    /// What sort of error it is: `panic`, the name of a type, `TypeError`.
    pub type_name: String,
    /// What it says, with its causes.
    pub message: String,
    /// The innermost call first. Of an error that was returned: where it became a failure, and the page.
    pub frames: Vec<Frame>,
    /// When, in milliseconds since 1970.
    pub at: UnixMillis,
}

/// The longest message, in bytes: more than any that somebody reads.
pub(super) const LONGEST_MESSAGE: usize = 4 * 1024;

/// So much of a message is looked at; what is beyond is dropped unseen, and far behind what is kept.
const LONGEST_LOOKED_AT: usize = 16 * 1024;

/// The most frames and breadcrumbs of a report.
pub(super) const MOST_FRAMES: usize = 100;
pub(super) const MOST_BREADCRUMBS: usize = 30;

impl ErrorReport {
    /// An error that happened at `at`, in milliseconds since 1970.
    pub fn new(kind: Kind, type_name: impl Into<String>, message: impl Into<String>, at: UnixMillis) -> Self {
        let (type_name, message) = (cut(type_name.into(), 256), cut(message.into(), LONGEST_LOOKED_AT));
        Self { kind, type_name, message, frames: Vec::new(), at }
    }

    /// With its stack, the innermost call first; the first hundred are kept.
    #[must_use]
    pub fn with_frames(mut self, frames: Vec<Frame>) -> Self {
        self.frames = frames;
        self.frames.truncate(MOST_FRAMES);
        self
    }
}

/// In which request an error happened. Nothing in it says whose: neither cookies, headers, addresses, queries nor bodies
/// are in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorContext {
    /// The route, as `/products/:id`, or the address of a server function; never the raw path.
    pub route: Option<String>,
    /// The mode of the page.
    pub mode: Option<&'static str>,
    /// The method of the request.
    pub method: Option<String>,
    /// The trace, as 32 hexadecimal digits.
    pub trace_id: Option<String>,
    /// The span within the trace, as 16 hexadecimal digits.
    pub span_id: Option<String>,
    /// The experiments that the visitor takes part in, each with the variant shown.
    pub experiments: Vec<(String, String)>,
    /// What happened before in the same trace, the oldest first.
    pub breadcrumbs: Vec<Breadcrumb>,
    /// The application and its version, as `shop@1.4.0`.
    pub release: Option<String>,
    /// Where it runs, as `production`.
    pub environment: Option<String>,
}

/// The beginning of a text, up to so many bytes.
pub(super) fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}
