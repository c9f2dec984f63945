//! Pooled database access for Tropos applications, over sqlx.
//!
//! A [`Db`] hands out plain sqlx pools: one for reading, whose connections refuse writes in the database itself, and
//! one for writing. Queries are ordinary sqlx queries.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tropos_db::{Config, Db};
//! let db = Db::connect(&Config::new("sqlite::memory:")).await?;
//! sqlx::query("create table note (text text not null)").execute(db.write()).await?;
//! sqlx::query("insert into note values (?)").bind("hello").execute(db.write()).await?;
//! let (text,): (String,) = sqlx::query_as("select text from note").fetch_one(db.read()).await?;
//! assert_eq!(text, "hello");
//! # Ok(()) }
//! ```

mod config;
mod error;
mod pool;

pub use config::Config;
pub use error::Error;
pub use pool::Db;
pub use sqlx;
