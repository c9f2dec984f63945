//! `view!` macros in sources, and what changed between two versions of them.
//!
//! [`Sources`] holds the sources of an application in three states: as they were compiled, as the open pages show them,
//! and as they are. An edit that changes nothing but what the source alone tells of a view is a [`ViewPatch`]; what is
//! not understood for certain is [`Change::Code`], and waits for the compiler.

mod diff;
mod html;
mod lower;
mod patch;
mod read;
mod sources;
mod template;

pub use patch::{Inner, NewNode, OldNode, Renamed, ViewPatch};
pub use sources::{Change, Sources};
