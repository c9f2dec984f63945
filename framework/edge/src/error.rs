//! What can go wrong with hooks.

/// What is wrong with the hooks of an application, or what a hook met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A path pattern of a [`Match`](crate::Match) cannot be read.
    #[error("the hook `{hook}` is for the path `{pattern}`, which {problem}")]
    Pattern {
        /// The hook's name.
        hook: String,
        /// What was written.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Server functions of which nobody has said whether a guard covers them.
    #[error(
        "some pages are guarded, and it is not said who may call these server functions: {0}. Name each in `Hooks::guard` beside the pages that use it, or in `Hooks::open`"
    )]
    Functions(String),
    /// A name that could be that of several server functions.
    #[error(
        "`{name}` could be any of these server functions: {functions}. Name each by its whole address, or give it one of its own: `#[server(endpoint = \"…\")]`"
    )]
    TwoFunctions {
        /// What was written.
        name: String,
        /// The addresses of those that it could be.
        functions: String,
    },
    /// A hook is configured so that it could not do what it is for.
    #[error("the hook `{hook}` is configured wrongly: {problem}")]
    Configured {
        /// The hook's name.
        hook: String,
        /// What is wrong, and what to write instead.
        problem: String,
    },
    /// A header's name or value that no header may have.
    #[error("`{name}: {value}` is no header: a name is a token, and a value has no line end")]
    Header {
        /// The name.
        name: String,
        /// The value.
        value: String,
    },
    /// An address that a redirect or a rewrite must not lead to.
    #[error(
        "`{0}` is no address to send a visitor to: write a path that begins with one `/`, or an `http(s)://` address"
    )]
    Location(String),
    /// A bound was reached.
    #[error("{0}")]
    Limit(&'static str),
    /// What a hook itself could not do. The request is then answered with 500: a guard that fails guards.
    #[error("{0}")]
    Hook(String),
    /// A hook panicked, with this message. The request is answered as that of any hook that fails.
    #[error("it panicked: {0}")]
    Panicked(String),
}

impl Error {
    /// What [`Hook::check`](crate::Hook::check) gives.
    pub(crate) fn configured(hook: &str, problem: impl Into<String>) -> Self {
        Self::Configured { hook: hook.to_owned(), problem: problem.into() }
    }
}
