//! Real programs for tests: Redis alone, with replicas and sentinels, and as a cluster; PostgreSQL alone and with
//! streaming replicas, and PgBouncer; Prometheus; workerd with a Worker; and a TCP proxy that fails on command.
//!
//! Each program runs on free ports of 127.0.0.1 and in a folder of its own, and is killed by its process id when its
//! value is dropped, also when the test panics. Nothing listens on a well-known port, so that a server of the machine is
//! never touched. All waits poll, are bounded by [`PATIENCE`], run in real time even where a test has paused tokio's
//! clock, and fail with the last lines of the program that they waited for.
//!
//! ```no_run
//! # async fn example() -> Result<(), tropos_parts::Error> {
//! use tropos_parts::{Data, FaultProxy, Redis};
//!
//! let redis = Redis::start().await?;
//! let proxy = FaultProxy::start(redis.address()).await?;
//! let url = redis.url_through(&proxy);
//! proxy.cut();
//! proxy.heal();
//! redis.kill().await?;
//! redis.restart(Data::Emptied).await?;
//! assert_eq!(redis.cli(["DBSIZE"]).await?, "0");
//! # Ok(())
//! # }
//! ```

mod cluster;
mod error;
mod folder;
mod pgbouncer;
mod poll;
mod postgres;
mod processes;
mod program;
mod prometheus;
mod proxy;
mod redis;
mod resp;
mod run;
mod sentinel;
mod workerd;

pub use cluster::{ClusterOptions, Node, RedisCluster};
pub use error::Error;
pub use pgbouncer::{PgBouncer, PgBouncerOptions};
pub use poll::PATIENCE;
pub use postgres::{Postgres, PostgresCluster, PostgresClusterOptions, PostgresOptions};
pub use program::free_addresses;
pub use prometheus::{Prometheus, PrometheusOptions, promtool};
pub use proxy::FaultProxy;
pub use redis::{Data, Redis, RedisOptions};
pub use sentinel::{SERVICE, Sentinels};
pub use workerd::{Workerd, WorkerdOptions};

/// Whether `redis-server` is on the `PATH`.
pub fn has_redis() -> bool {
    program::is_on_path("redis-server")
}

/// Whether a PostgreSQL server can be started: its programs are in Debian's folder or on the `PATH`.
pub fn has_postgres() -> bool {
    postgres::Install::find().is_ok()
}

/// Whether `prometheus` and `promtool` are on the `PATH`.
pub fn has_prometheus() -> bool {
    program::is_on_path("prometheus") && program::is_on_path("promtool")
}

/// Whether PgBouncer can be started: it is in Debian's folder or on the `PATH`, and PostgreSQL is there.
pub fn has_pgbouncer() -> bool {
    pgbouncer::find().is_some() && has_postgres()
}

/// Whether workerd can be started: npm has put it into `e2e/edge`, as `cargo xtask test` does.
pub fn has_workerd() -> bool {
    workerd::find().is_some()
}
