//! What the data layer counts, and how its pools stand. Names of pools by OpenTelemetry's conventions for databases.

use super::{Text, label};
use tropos_db::{ServerStats, Stats};

pub(super) fn write(text: &mut Text, stats: &Stats) {
    let pool = |name: &str| label("pool", name);
    let connections = stats.pools.iter().flat_map(|of| {
        let with = |state| format!("{},{}", pool(&of.name), label("state", state));
        [(with("used"), of.used), (with("idle"), of.idle)]
    });
    text.metric("db_client_connection_count", "gauge", "Connections, by what they do.", connections);
    let most = stats.pools.iter().map(|of| (pool(&of.name), of.most));
    text.metric("db_client_connection_max", "gauge", "The most connections that a pool may have.", most);
    for (name, help, value) in [
        ("db_client_connection_timeouts_total", "Queries that found no connection in time.", stats.exhausted),
        (
            "tropos_db_retries_total",
            "Queries that were tried again, since a server or connection failed.",
            stats.retries,
        ),
        (
            "tropos_db_position_waits_total",
            "Reads that waited for a replica to have seen a write.",
            stats.position_waits,
        ),
        (
            "tropos_db_primary_reads_total",
            "Reads that the primary answered though there are replicas.",
            stats.primary_reads,
        ),
        ("tropos_db_slow_queries_total", "Queries over the threshold of slow ones.", stats.slow),
    ] {
        text.metric(name, "counter", help, [(String::new(), value)]);
    }
    if stats.servers.is_empty() {
        return;
    }
    let named = |of: &ServerStats| {
        format!("{},{},{}", label("shard", &of.shard), label("server", &of.address), label("role", of.role))
    };
    let all = || stats.servers.iter();
    let up = all().map(|of| (named(of), u8::from(of.up)));
    text.metric("tropos_db_server_up", "gauge", "1 where a server answers.", up);
    let replicas = || all().filter(|of| of.role == "replica");
    let usable = replicas().map(|of| (named(of), u8::from(of.usable)));
    text.metric("tropos_db_replica_usable", "gauge", "1 where reads go to a replica.", usable);
    let bytes = replicas().map(|of| (named(of), of.lag.bytes));
    text.metric(
        "tropos_db_replica_lag_bytes",
        "gauge",
        "Bytes of the log that a replica has not replayed.",
        bytes,
    );
    let seconds = replicas().map(|of| (named(of), of.lag.time.as_secs_f64()));
    text.metric(
        "tropos_db_replica_lag_seconds",
        "gauge",
        "How long ago the primary stood where a replica stands.",
        seconds,
    );
}
