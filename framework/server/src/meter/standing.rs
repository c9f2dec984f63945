//! Numbers that exist elsewhere: read when somebody asks.

use crate::site::Site;
use std::sync::atomic::Ordering;
use tropos_telemetry::{
    metrics::Observed,
    names::metrics::{self as names, Metric},
};

pub(super) fn observe(site: &Site, observed: &mut Observed) {
    cache(&site.engine.stats(), observed);
    if let Some(db) = site.db() {
        database(&db.stats(), observed);
    }
    site.figures().observe(observed);
    if let Some(counts) = site.errors.counts() {
        tropos_telemetry::errors::observe(&counts, observed);
    }
    if let Some((counts, _)) = site.tracer.counts() {
        let lost = [&counts.rejected, &counts.full, &counts.failed, &counts.left_out];
        let lost = lost.map(|count| count.load(Ordering::Relaxed));
        observed.put(&names::TELEMETRY_DROPPED, &["traces"], lost.iter().sum::<u64>() as f64);
    }
    for (metric, number) in [
        (&names::LIVE_SESSIONS, site.hub.watchers()),
        (&names::LIVE_PAGES, site.hub.keys()),
        (&names::LIVE_QUEUE_DEPTH, site.hub.waiting()),
    ] {
        observed.put(metric, &[], number as f64);
    }
}

fn cache(stats: &tropos_cache::Stats, observed: &mut Observed) {
    for (kind, entries, bytes, evictions) in [
        ("page", stats.page_entries, stats.page_bytes, stats.page_evictions),
        ("data", stats.data_entries, stats.data_bytes, stats.data_evictions),
        ("negative", stats.negative_entries, stats.negative_bytes, stats.negative_evictions),
    ] {
        observed.put(&names::CACHE_ENTRIES, &[kind], entries as f64);
        observed.put(&names::CACHE_SIZE, &[kind], bytes as f64);
        observed.put(&names::CACHE_EVICTIONS, &[kind], evictions as f64);
    }
    let counts: [(&Metric, u64); 4] = [
        (&names::CACHE_RENDERS, stats.renders),
        (&names::CACHE_RENDER_FAILURES, stats.render_failures),
        (&names::CACHE_INVALIDATION_FAILURES, stats.invalidation_failures),
        (&names::CACHE_DISK_WRITES_DROPPED, stats.disk_writes_dropped),
    ];
    let shared = stats.shared.iter().flat_map(|shared| {
        let of: [(&Metric, u64); 3] = [
            (&names::CACHE_SHARED_CIRCUIT_OPEN, u64::from(shared.circuit_open)),
            (&names::CACHE_SHARED_DEGRADED, u64::from(shared.degraded)),
            (&names::CACHE_SHARED_FAILURES, shared.failures),
        ];
        of
    });
    for (metric, number) in counts.into_iter().chain(shared) {
        observed.put(metric, &[], number as f64);
    }
}

fn database(stats: &tropos_db::Stats, observed: &mut Observed) {
    for pool in &stats.pools {
        let name = pool.name.as_str();
        observed.put(&names::DB_CLIENT_CONNECTION_COUNT, &[name, "used"], f64::from(pool.used));
        observed.put(&names::DB_CLIENT_CONNECTION_COUNT, &[name, "idle"], f64::from(pool.idle));
        observed.put(&names::DB_CLIENT_CONNECTION_MAX, &[name], f64::from(pool.most));
    }
    let counts: [(&Metric, u64); 4] = [
        (&names::DB_CLIENT_CONNECTION_TIMEOUTS, stats.exhausted),
        (&names::DB_RETRIES, stats.retries),
        (&names::DB_POSITION_WAITS, stats.position_waits),
        (&names::DB_PRIMARY_READS, stats.primary_reads),
    ];
    for (metric, number) in counts {
        observed.put(metric, &[], number as f64);
    }
    for server in &stats.servers {
        let labels = [server.shard.as_str(), server.address.as_str(), server.role];
        observed.put(&names::DB_SERVER_UP, &labels, f64::from(u8::from(server.up)));
        if server.role == "replica" {
            observed.put(&names::DB_REPLICA_USABLE, &labels, f64::from(u8::from(server.usable)));
            observed.put(&names::DB_REPLICA_LAG, &labels, server.lag.time.as_secs_f64());
            observed.put(&names::DB_REPLICA_LAG_BYTES, &labels, server.lag.bytes as f64);
        }
    }
}
