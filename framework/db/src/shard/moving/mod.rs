//! Moving slots from one PostgreSQL shard to another while the application runs.
//!
//! The fence in both databases makes it safe, whatever maps the instances have: nobody writes the slots while their rows
//! are copied, and never do both sides own them. Writes are refused meanwhile ([`refused`](super::refused)); reads are
//! answered by the source. What has been done is written down in the databases, so a run that was cut off is gone on
//! with by the same call, from any machine.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tropos_db::shard::moving::{Move, Shard};
//!
//! let a = Shard::new("a", "postgres://primary-of-a/shop".parse()?);
//! let b = Shard::new("b", "postgres://primary-of-b/shop".parse()?);
//! let slots = Move::new("0-99".parse()?, a, b);
//! slots.run(|progress| println!("{progress:?}")).await?;
//! // … all instances are given the new map …
//! slots.clean(|_| {}).await?;
//! # Ok(()) }
//! ```

mod error;
mod plan;
mod rows;
mod run;
mod session;
mod sql;

pub use error::MoveError;
pub use plan::{Blocked, Side, Standing, Step};
pub use run::{Move, Progress};
pub use session::Shard;
