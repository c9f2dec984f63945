//! What queries are run on: a handle that reads, one that writes, and transactions.
//!
//! | file | holds |
//! |---|---|
//! | `read`, `write` | the handles, each an `Executor` of sqlx |
//! | `tx` | transactions |
//! | `route` | from which shard and server a handle takes its connection |
//! | `run` | one statement, tried again where that is safe |
//! | `fault` | whose fault an error is (pure) |

mod fault;
mod read;
mod route;
mod run;
mod tx;
mod write;

pub use read::Read;
pub(crate) use route::Route;
pub use tx::Tx;
pub use write::Write;
