//! Pools and servers of the database.

use super::{
    frame::{Set, table},
    words,
};
use crate::Site;
use leptos::prelude::*;

pub(super) fn view(site: &Site) -> AnyView {
    let Some(db) = site.db() else {
        return view! { <p>"The application has no database."</p> }.into_any();
    };
    let stats = db.stats();
    let pools = stats.pools.iter().map(|pool| {
        let part = f64::from(pool.used) / f64::from(pool.most.max(1)) * 100.0;
        let look = if pool.used >= pool.most { "bar full" } else { "bar" };
        let width = format!("width:{:.0}%", part.min(100.0));
        view! {
            <tr>
                <th scope="row">{pool.name.clone()}</th>
                <td class="n">{pool.used}</td>
                <td class="n">{pool.idle}</td>
                <td class="n">{pool.most}</td>
                <td><span class=look aria-hidden="true"><i style=width></i></span></td>
            </tr>
        }
        .into_any()
    });
    let servers = stats.servers.iter().map(|server| {
        let (state, look) = match (server.up, server.role, server.usable) {
            (false, ..) => ("away", "mark bad"),
            (true, "replica", false) => ("too far behind", "mark warn"),
            (true, ..) => ("up", "mark good"),
        };
        let is_replica = server.role == "replica";
        let lag = is_replica.then(|| words::time(server.lag.time));
        let bytes = is_replica.then(|| words::bytes(server.lag.bytes as f64));
        view! {
            <tr>
                <th scope="row">{server.address.clone()}</th>
                <td>{server.shard.clone()}</td>
                <td>{server.role}</td>
                <td><span class=look>{state}</span></td>
                <td class="n">{lag}</td>
                <td class="n wide">{bytes}</td>
                <td class="n">{server.busy}</td>
            </tr>
        }
        .into_any()
    });
    let counts = [
        ("Queries that found no connection in time", stats.exhausted),
        ("Slow queries", stats.slow),
        ("Reads tried again on another server", stats.retries),
        ("Reads that waited for a replica to have seen a write", stats.position_waits),
        ("Reads that the primary answered though there are replicas", stats.primary_reads),
    ];
    let counts = counts.map(|(name, count)| {
        view! { <tr><th scope="row">{name}</th><td class="n">{words::number(count)}</td></tr> }.into_any()
    });
    let pool_columns = [
        ("Pool", Set::Text),
        ("Used", Set::Number),
        ("Idle", Set::Number),
        ("Most", Set::Number),
        ("In use", Set::Text),
    ];
    let server_columns = [
        ("Server", Set::Text),
        ("Shard", Set::Text),
        ("Role", Set::Text),
        ("State", Set::Text),
        ("Lag", Set::Number),
        ("Log behind", Set::WideNumber),
        ("Busy", Set::Number),
    ];
    view! {
        {table("pools", "Pools", &pool_columns, pools.collect(), "There is no pool.")}
        {table("servers", "Servers and replicas", &server_columns, servers.collect(), "SQLite has no servers.")}
        {table("counts", "Since the start", &[("What", Set::Text), ("Count", Set::Number)], counts.into(), "")}
    }
    .into_any()
}
