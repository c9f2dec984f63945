//! The slowest routes and queries.

use super::{
    super::{
        asked::{Asked, Only, TracesOf},
        facts::slowest::{self, Timed},
    },
    frame::{Set, table},
    words,
};
use crate::Site;
use leptos::prelude::*;

/// Routes, and queries, that are shown.
const MOST: usize = 50;

pub(super) fn view(site: &Site) -> AnyView {
    let snapshot = site.meter.registry().snapshot();
    let (routes, queries) = (slowest::routes(&snapshot), slowest::queries(&snapshot));
    let of_route = routes.iter().take(MOST).map(|route| {
        let name = if route.name.is_empty() {
            view! { <span class="quiet">"(no route)"</span> }.into_any()
        } else {
            let of = TracesOf { only: Only::All, route: Some(route.name.clone()) };
            view! { <a href=Asked::Traces(of).href()>{route.name.clone()}</a> }.into_any()
        };
        row(name, route)
    });
    let of_query = queries.iter().take(MOST).map(|query| {
        let name = view! { <code>{query.name.clone()}</code> }.into_any();
        row(name, query)
    });
    view! {
        {table("routes", caption("Routes", routes.len()), &columns("Route", "Mode"), of_route.collect(), "No request has been answered since the start.")}
        {table("queries", caption("Queries", queries.len()), &columns("Query", "Routes"), of_query.collect(), "No query has run since the start.")}
        <p class="quiet">"Since the start of this process, from the histograms of "<code>"/metrics"</code>": counts and means are exact, percentiles are estimated within the bounds of a bucket. Sorted by p95. The time of a request ends with its last byte."</p>
    }
    .into_any()
}

fn caption(of: &str, count: usize) -> String {
    if count > MOST { format!("{of}: the slowest {MOST} of {count}") } else { of.to_owned() }
}

fn columns(first: &'static str, about: &'static str) -> [(&'static str, Set); 9] {
    [
        (first, Set::Text),
        (about, Set::Wide),
        ("Count", Set::Number),
        ("Mean", Set::Number),
        ("p50", Set::Number),
        ("p95", Set::Number),
        ("p99", Set::Number),
        ("In all", Set::Number),
        ("Failed", Set::Number),
    ]
}

fn row(name: AnyView, timed: &Timed) -> AnyView {
    let times = &timed.times;
    let percentile = |share| words::estimate(times.percentile(share));
    let mean = times.mean().map_or_else(|| "–".to_owned(), words::seconds);
    let failed = if timed.failures > 0 { "n bad" } else { "n" };
    view! {
        <tr>
            <th scope="row">{name}</th>
            <td class="wide">{timed.about.join(", ")}</td>
            <td class="n">{words::number(times.count())}</td>
            <td class="n">{mean}</td>
            <td class="n">{percentile(0.5)}</td>
            <td class="n">{percentile(0.95)}</td>
            <td class="n">{percentile(0.99)}</td>
            <td class="n">{words::seconds(times.sum())}</td>
            <td class=failed>{words::number(timed.failures)}</td>
        </tr>
    }
    .into_any()
}
