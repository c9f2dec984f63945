//! Pooled database access for Tropos applications, over sqlx: SQLite embedded, or PostgreSQL with replicas and shards.
//!
//! A [`Db`] hands out handles that are executors of sqlx: [`Db::read`], whose queries may be answered by a replica and
//! cannot write, and [`Db::write`]. Queries are ordinary sqlx queries.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tropos_db::{Config, Db};
//! let db: Db = Db::connect(&Config::new("sqlite::memory:")).await?;
//! sqlx::query("create table note (text text not null)").execute(db.write()).await?;
//! sqlx::query("insert into note values ($1)").bind("hello").execute(db.write()).await?;
//! let (text,): (String,) = sqlx::query_as("select text from note").fetch_one(db.read()).await?;
//! assert_eq!(text, "hello");
//! # Ok(()) }
//! ```
//!
//! | folder | holds |
//! |---|---|
//! | `handle` | what queries are run on: reads, writes, transactions |
//! | `backend` | the two databases, and the views by which queries are typed |
//! | `pool` | how connections are opened |
//! | `replica` | a primary and its replicas: who is what, who is well, who answers |
//! | `migrate` | bringing the database up to date, one instance at a time |
//! | [`doctor`] | what is wrong with the database as it is configured |
//! | `observe` | spans, logs of slow queries, counts |
//! | `shard` | slots, the map of them, questions to many shards, moving slots |
//! | `bridge` | invalidation by other writers of the database |
//! | `loader` | many small reads of one render as one query |

mod backend;
pub mod bridge;
mod config;
mod consistency;
mod db;
pub mod doctor;
mod error;
mod handle;
pub mod loader;
mod migrate;
mod observe;
mod pool;
mod replica;
pub mod shard;

pub use backend::{Any, Backend, Kind, Raw};
pub use bridge::Bridge;
pub use config::{Config, PoolConfig, Pooler, ReplicaConfig, ShardConfig, WithoutReplicas};
pub use db::Db;
pub use error::{Error, cause, without_password};
pub use handle::{Read, Tx, Write};
pub use loader::Loader;
pub use migrate::{Migrated, Migrations, ShardStatus, Status, Step};
pub use observe::{Observer, PoolStats, Ran, ServerStats, Stats, Waited, summary, without_values};
pub use replica::Lag;
pub use sqlx;
