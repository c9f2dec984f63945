//! What queries are run on: a handle that reads, one that writes, and transactions.
//!
//! | file | holds |
//! |---|---|
//! | `read`, `write` | the handles, each an `Executor` of sqlx |
//! | `tx` | transactions |
//! | `route` | from which shard and server a handle takes its connection |
//! | `lease` | a connection for as long as a statement or a transaction takes |
//! | `limit` | no wait without an end |
//! | `run` | one statement, tried again where that is safe |
//! | `fault` | whose fault an error is (pure) |

mod fault;
mod lease;
mod limit;
mod read;
mod route;
mod run;
mod tx;
mod write;

use lease::Lease;
pub use read::Read;
pub(crate) use route::Route;
pub use tx::Tx;
pub use write::Write;
