//! Shards on real PostgreSQL servers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod fence;
mod hammer;
mod kit;
mod moving;
mod slots;
