//! The cache layer around a service that the test owns.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::panic, reason = "a test fails by panicking")]

mod flights;
mod model;
mod origin;
mod serving;
mod storing;
