//! Hooks that most sites need. Each is a [`Hook`](crate::Hook) with a builder; its rules are in its documentation.

pub mod address;
pub mod bots;
mod bucket;
pub mod cors;
pub mod experiment;
pub mod flags;
pub mod geo;
pub mod guard;
pub mod jwt;
pub mod locale;
pub mod maintenance;
mod network;
pub mod next;
pub mod rate_limit;
pub mod redirects;
mod secret;
pub mod security;
pub mod session;
pub mod visitor;

pub use bots::Bots;
pub use cors::Cors;
pub use guard::{Guard, Roles};
pub use jwt::Jwt;
pub use maintenance::Maintenance;
pub use network::Network;
pub use rate_limit::RateLimit;
pub use secret::{SHORTEST_SECRET, Secret};
pub use session::Sessions;

use crate::{EdgeRequest, Error};
use tropos_core::CanonicalPath;

/// What is wrong with how a hook is configured, as its [`check`](crate::Hook::check) says it.
fn wrong(hook: &str, problem: impl std::fmt::Display) -> Error {
    Error::Hook(format!("the hook `{hook}`: {problem}"))
}

/// Whether a request is for a page, as far as one can tell: by the router, or by its path.
fn is_for_a_page(request: &EdgeRequest<'_>) -> bool {
    request.route().is_some() || may_be_a_page(request.path())
}

/// Whether a request is for a file or for Tropos itself. They are the same for all, and must stay so for caches outside: a visitor's
/// cookie on a script would have every visitor fetch it from here.
fn is_for_a_file(request: &EdgeRequest<'_>) -> bool {
    let function = request.path().segments().next() == Some("api");
    !function && !is_for_a_page(request)
}

/// Whether a name may be that of a cookie and of a key of the query, and needs no quoting in either: RFC 6265 §4.1.1 allows more.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// Whether a path may be that of a page: not one of Tropos itself, of a server function, or of a file, by the dot in its last
/// segment.
fn may_be_a_page(path: &CanonicalPath) -> bool {
    let mut segments = path.segments();
    let own = matches!(segments.next(), Some("_tropos" | "api"));
    let file = path.segments().last().is_some_and(|last| last.contains('.'));
    !own && !file
}
