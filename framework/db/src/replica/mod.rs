//! A primary and its replicas: who is what, who is well, and who answers a read.
//!
//! | file | holds |
//! |---|---|
//! | `health` | when a server that failed is tried again (pure) |
//! | `choose` | which replica answers (pure) |
//! | `lag` | how far a replica is behind (pure) |
//! | `server` | one server: its pools, and what is known of it |
//! | `look` | asking a server for its role and position, again and again |
//! | `group` | all servers of a shard: reads and writes find theirs here |

mod choose;
mod group;
mod health;
mod lag;
pub(crate) mod look;
mod server;

pub(crate) use group::{Found, Group, Looks, Tried};
pub use lag::Lag;
pub(crate) use look::ask;
pub(crate) use server::{Busy, Facts, Server};
