//! The words that every Tropos crate shares.
//!
//! > A page is a function of data. Its [mode](Mode) says when the function runs; [tags](Tag) say when its data has
//! > changed.
//!
//! | module | holds |
//! |---|---|
//! | [`mode`] | the four ways in which a route's HTML comes to be |
//! | [`age`] | how long an entry is fresh, and how long it may be served at all |
//! | [`tag`] | names for data |
//! | [`key`] | what an entry is stored under |
//! | [`path`] | the one parser of request paths; hooks, router and cache key all use its result |
//! | [`pattern`] | the path of a route, with its parameters |
//! | [`clock`] | time, which tests can turn |
//! | [`failure`], [`answer`] | errors of application code, and what a page answers without a view |
//! | [`cache_arg`] | what a cached function may be called with |
//! | [`explain`] | why a path would hit or miss, from the server to the command line |
//! | [`build`] | what an application's program tells the command that builds it |
//! | [`advice`] | which routes are declared in a mode that does not suit them, likewise |
//! | [`manifest`] | what a build leaves for the server: assets and pages |
//!
//! Nothing here does I/O, and everything builds for `wasm32-unknown-unknown`.

pub mod advice;
pub mod age;
pub mod answer;
pub mod build;
pub mod cache_arg;
pub mod clock;
pub mod error;
pub mod explain;
pub mod failure;
pub mod key;
pub mod manifest;
pub mod mode;
pub mod path;
pub mod pattern;
pub mod positions;
pub mod tag;

pub use age::{Ages, Revalidate};
pub use answer::{PageError, Redirect};
pub use cache_arg::{CacheArg, KeyArgs};
pub use clock::{Clock, ManualClock, SystemClock, Tick, UnixMillis};
pub use error::Error;
pub use failure::Failure;
pub use key::{Key, PageKey};
pub use mode::Mode;
pub use path::CanonicalPath;
pub use pattern::{Params, Pattern};
pub use positions::{MOST_SHARDS, NotPositions, Positions};
pub use tag::{Tag, Tags};
