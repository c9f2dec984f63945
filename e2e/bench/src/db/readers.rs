//! The ways in which one row is read.

use sqlx::{AnyPool, PgPool, Postgres, Sqlite, SqlitePool};
use std::{future::Future, sync::Arc};
use tropos_cases::check::Problem;
use tropos_db::Db;

/// The table's rows have the keys from 1 to this: all of it is in the memory of the database.
pub(crate) const ROWS: i64 = 1_000;

/// A page's typical read: by primary key, a number and a text.
const QUERY: &str = "select id, name from item where id = $1";

/// One way in which a row is read; cheap to clone, one for each task.
pub(crate) trait Reader: Clone + Send + Sync + 'static {
    /// Reads the row with this key.
    fn read(&self, key: i64) -> impl Future<Output = Result<(i64, String), sqlx::Error>> + Send;
}

macro_rules! reader {
    ($handle:ty, $this:ident => $executor:expr) => {
        impl Reader for $handle {
            async fn read(&self, key: i64) -> Result<(i64, String), sqlx::Error> {
                let $this = self;
                sqlx::query_as(QUERY).bind(key).fetch_one($executor).await
            }
        }
    };
}

reader!(PgPool, pool => pool);
reader!(SqlitePool, pool => pool);
reader!(AnyPool, pool => pool);
reader!(Db<Postgres>, db => db.read());
reader!(Db<Sqlite>, db => db.read());
reader!(Db, db => db.read());

/// Makes and fills the table; for either database.
pub(crate) fn table() -> [String; 2] {
    let values: Vec<_> = (1..=ROWS).map(|key| format!("({key}, 'item number {key}')")).collect();
    [
        "create table item (id bigint primary key, name text not null)".to_owned(),
        format!("insert into item values {}", values.join(", ")),
    ]
}

/// A task that reads until it is told to stop, and gives how long each read took, in nanoseconds.
pub(crate) type Task = std::pin::Pin<Box<dyn Future<Output = Result<Vec<u64>, Problem>> + Send>>;

/// Makes tasks that read in one way. The first argument is where the task begins in the table.
pub(crate) type Way = Arc<dyn Fn(i64, super::turn::Until) -> Task + Send + Sync>;

/// The way of a reader.
pub(crate) fn way<R: Reader>(reader: R) -> Way {
    Arc::new(move |start, until| Box::pin(super::turn::read(reader.clone(), start, until)))
}

/// The same, with all reads in a scope.
pub(crate) fn way_within<R: Reader>(reader: R, scope: &tropos_cache::Scope) -> Way {
    let scope = scope.clone();
    Arc::new(move |start, until| Box::pin(scope.wrap(super::turn::read(reader.clone(), start, until))))
}
