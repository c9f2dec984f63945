//! Hooks: what stands in front of the cache, written once, run in the server and in a Worker at the edge.
//!
//! A hook is handed an [`EdgeRequest`] and gives a [`Decision`]: go on, as another path, elsewhere, or answered here. On
//! the way it may change the headers that the page sees, add headers and cookies to the answer, choose variants, and leave
//! values for the page, each through the part of [`Edits`] that is meant for it.
//!
//! ```
//! use tropos_edge::{Decision, Hooks, Match, Reply, hook};
//! let guard = hook("guard", |request, _| match request.cookie("session") {
//!     Some("good") => Decision::Next,
//!     _ => Reply::text(401, "sign in first").into(),
//! });
//! let hooks = Hooks::new().guard(Match::below("/office"), ["set_price"], guard);
//! # assert!(hooks.check().is_ok());
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`request`] | what a hook may read, one parser for each part |
//! | [`edits`] | what it may change, a type for each direction |
//! | [`event`] | what it tells the adapter |
//! | [`decision`] | what it may decide |
//! | [`matching`] | which requests a hook is for |
//! | [`hook`](mod@hook) | the trait, and hooks of functions |
//! | [`hooks`] | many of them, in order, for all pages or some |
//! | [`run`] | one request through all hooks: rewriting, loops, bounds |
//! | [`statement`] | what an adapter at the edge tells the origin, signed |
//! | [`variant`](mod@variant) | what a stored page may differ by |
//! | [`platform`] | what an adapter offers: clock, chance, look-ups, fetches |
//! | [`ready`] | hooks that most sites need |
//! | `worker` | the adapter for Workers, under the feature of this name |
//!
//! Nothing here does I/O, and all of it compiles for wasm32. A value that a client could use up without end has a bound.

mod caught;
pub mod decision;
pub mod edits;
mod error;
pub mod event;
pub mod hook;
pub mod hooks;
pub mod matching;
pub mod platform;
pub mod ready;
pub mod request;
pub mod run;
pub mod statement;
pub mod variant;
#[cfg(feature = "worker")]
pub mod worker;

pub use cookie;
pub use decision::{Decision, Redirect, Reply};
pub use edits::Edits;
pub use error::Error;
pub use event::Event;
pub use hook::{Hook, Verdict, hook};
pub use hooks::Hooks;
pub use matching::Match;
pub use platform::Platform;
pub use request::EdgeRequest;
pub use variant::{VariantName, Variants};
