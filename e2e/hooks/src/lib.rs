//! An application that uses every part of the hooks and every ready hook, with pages of all four modes that show what they saw.
//!
//! The table in `cases/` says of each request what the whole answer is; `examples/table` holds the server to it, and the
//! Worker in front of the server. `tests/` has what is no table: hostile spellings, and an experiment at scale.

#[cfg(any(feature = "server", feature = "edge"))]
pub mod hooks;

#[cfg(feature = "server")]
pub mod app;
#[cfg(feature = "server")]
mod pages;
#[cfg(feature = "server")]
mod saw;

#[cfg(feature = "edge")]
tropos::edge::worker!(|_| hooks::hooks());
