//! Pools of connections to PostgreSQL.

use crate::{
    Error,
    config::{Config, Pooler},
    error::without_password,
    replica::{Facts, look},
};
use futures::FutureExt;
use sqlx::{
    ConnectOptions, Connection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{str::FromStr, sync::Arc, time::Duration};

/// An idle connection that does not answer in this time is not used.
const CHECK_WITHIN: Duration = Duration::from_secs(1);

/// Connections that nobody needs are closed after ten minutes, and all after half an hour, so that servers behind a name
/// share the load again after one of them was away.
const IDLE: Duration = Duration::from_secs(600);
const LIFE: Duration = Duration::from_secs(1800);

/// What connections of a pool are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Read,
    Write,
}

impl Use {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Write => "writes",
        }
    }
}

/// What an address says.
pub(crate) fn options(url: &str) -> Result<PgConnectOptions, Error> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| Error::Open { url: without_password(url), reason: error.to_string() })?;
    // Its own lines would show what is written into a statement; ours do not.
    let options = options.disable_statement_logging();
    let named = options.get_application_name().is_some();
    Ok(if named { options } else { options.application_name("tropos") })
}

/// For the connection by which a server is looked at.
pub(crate) fn for_looks(options: &PgConnectOptions, pooler: Pooler) -> PgConnectOptions {
    quiet(options, pooler).statement_cache_capacity(0)
}

/// Poolers refuse parameters of a session that they do not know.
fn quiet(options: &PgConnectOptions, pooler: Pooler) -> PgConnectOptions {
    match pooler {
        Pooler::None => options.clone(),
        Pooler::Transaction => options.clone().extra_float_digits(None).statement_cache_capacity(0),
    }
}

/// A pool that connects when it is first needed.
pub(crate) fn pool(options: &PgConnectOptions, purpose: Use, config: &Config, facts: &Arc<Facts>) -> PgPool {
    let mut options = quiet(options, config.pooler);
    if config.pooler == Pooler::None {
        let limit = config.pool.statement.as_millis().to_string();
        options = options.options([("statement_timeout", limit)]);
        if purpose == Use::Read {
            options = options.options([("default_transaction_read_only", "on")]);
        }
    }
    let (met, known, check_after) = (facts.clone(), facts.clone(), config.pool.check_after);
    PgPoolOptions::new()
        .max_connections(config.pool.connections)
        .acquire_timeout(config.pool.wait)
        .idle_timeout(IDLE)
        .max_lifetime(LIFE)
        .test_before_acquire(false)
        .after_connect(move |conn, _| {
            let met = met.clone();
            async move {
                met.met(&look::ask(conn).await?);
                Ok(())
            }
            .boxed()
        })
        .before_acquire(move |conn, meta| {
            let outlived = known.outlived(meta.age);
            async move {
                Ok(!outlived
                    && (meta.idle_for < check_after
                        || matches!(tokio::time::timeout(CHECK_WITHIN, conn.ping()).await, Ok(Ok(())))))
            }
            .boxed()
        })
        .connect_lazy_with(options)
}
