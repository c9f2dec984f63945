//! The last requests, and how the parts stand.

use super::{
    super::facts::{requests, slowest},
    frame::{self, Set, table, tile},
    words,
};
use crate::Site;
use leptos::prelude::*;
use tropos_telemetry::names::metrics::{self as names, label};

/// Requests that are shown.
const MOST: usize = 50;

pub(super) fn view(site: &Site) -> AnyView {
    let lines = requests::last(site, MOST);
    let longest = frame::longest(&lines);
    let rows = lines
        .iter()
        .map(|line| {
            view! {
                <tr>
                    <td class="t">{frame::at(line.at)}</td>
                    <th scope="row">{frame::name(line)}</th>
                    <td class="wide">{line.mode.clone()}</td>
                    <td>{frame::cached(line.cached.as_ref())}</td>
                    <td>{frame::status(line)}</td>
                    <td class="n took">{frame::took(line, longest)}</td>
                </tr>
            }
            .into_any()
        })
        .collect();
    let columns = [
        ("Time (UTC)", Set::Text),
        ("Request", Set::Text),
        ("Mode", Set::Wide),
        ("Cache", Set::Text),
        ("Status", Set::Text),
        ("Took", Set::Number),
    ];
    view! {
        {tiles(site)}
        {table("requests", format!("The last {MOST} requests"), &columns, rows, "No request has been answered since the start, or none is kept: OTEL_TRACES_SAMPLER decides.")}
        <p class="quiet">"Of traces as they are kept: at most 200 a second by default, and those that are slow or failed."</p>
    }
    .into_any()
}

fn tiles(site: &Site) -> AnyView {
    let snapshot = site.meter.registry().snapshot();
    let all = slowest::sum(&snapshot, &names::HTTP_SERVER_REQUEST_DURATION, |_| true);
    let failed = slowest::sum(&snapshot, &names::HTTP_SERVER_REQUEST_DURATION, |labels| {
        labels.get(label::STATUS).starts_with('5')
    });
    let active = slowest::sum(&snapshot, &names::HTTP_SERVER_ACTIVE_REQUESTS, |_| true);
    let reads = slowest::numbers(&snapshot, &names::CACHE_REQUESTS, label::RESULT);
    let read = |result: &str| reads.get(result).copied().unwrap_or_default();
    // What is not stored at all is no miss.
    let asked = read("hit") + read("stale") + read("miss");
    let stats = site.engine.stats();
    let entries = stats.page_entries + stats.data_entries + stats.negative_entries;
    let bytes = stats.page_bytes + stats.data_bytes;
    let pools = site.db().map(|db| db.stats().pools).unwrap_or_default();
    let (used, most) = pools.iter().fold((0, 0), |(used, most), pool| (used + pool.used, most + pool.most));
    view! {
        <dl class="tiles">
            {tile("Requests", words::counted(all), format!("{} under way", words::counted(active)))}
            {tile("Server errors", words::counted(failed), words::percent(failed, all))}
            {tile("Cache hits", words::percent(read("hit") + read("stale"), asked), format!("of {} reads", words::counted(asked)))}
            {tile("Entries", words::number(entries as u64), words::bytes(bytes as f64))}
            {tile("Connections", words::number(used), format!("of {}", words::number(most)))}
            {tile("Live pages", words::number(site.hub.watchers() as u64), "open".to_owned())}
        </dl>
    }
    .into_any()
}
