//! What applications may write, and what becomes of it.
#![deny(warnings, missing_docs, unreachable_pub)]

mod addresses;
mod cached;
mod conditional;
mod modes;
