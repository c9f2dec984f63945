//! The last traces, and those of them that are wanted.

use super::{
    super::{
        asked::{Asked, Only, TracesOf},
        facts::requests::{self, Traces},
    },
    frame::{self, Set, table},
    words,
};
use crate::Site;
use leptos::prelude::*;

/// Traces that are shown at once.
const MOST: usize = 200;

pub(super) fn view(site: &Site, of: &TracesOf) -> AnyView {
    let traces = requests::listed(site, of, MOST);
    let longest = frame::longest(&traces.lines);
    let rows = traces
        .lines
        .iter()
        .map(|line| {
            view! {
                <tr>
                    <td class="t">{frame::at(line.at)}</td>
                    <th scope="row">{frame::name(line)}</th>
                    <td>{frame::cached(line.cached.as_ref())}</td>
                    <td>{frame::status(line)}</td>
                    <td class="n wide">{line.spans}</td>
                    <td class="n wide">{line.queries}</td>
                    <td class="n took">{frame::took(line, longest)}</td>
                </tr>
            }
            .into_any()
        })
        .collect();
    let columns = [
        ("Time (UTC)", Set::Text),
        ("Trace", Set::Text),
        ("Cache", Set::Text),
        ("Status", Set::Text),
        ("Spans", Set::WideNumber),
        ("Queries", Set::WideNumber),
        ("Took", Set::Number),
    ];
    let shown = format!(
        "{} of {} traces",
        words::number(traces.lines.len() as u64),
        words::number(traces.matching as u64)
    );
    view! {
        {filters(of, &traces)}
        {table("traces", shown, &columns, rows, "No trace that is kept is like that.")}
        <p class="quiet">{format!(
            "The last 1,000 traces are kept, in at most 16 MiB; there are {} now. Slow is what took {} or more.",
            words::number(traces.kept as u64),
            words::time(traces.slow),
        )}</p>
    }
    .into_any()
}

fn filters(of: &TracesOf, traces: &Traces) -> AnyView {
    let by_end = Only::ALL.map(|only| {
        let href = Asked::Traces(TracesOf { only, route: of.route.clone() }).href();
        let current = (only == of.only).then_some("true");
        view! { <li><a href=href aria-current=current>{only.as_str()}</a></li> }
    });
    let routes = traces.routes.iter().map(|route| {
        let selected = of.route.as_ref() == Some(route);
        view! { <option value=route.clone() selected=selected>{route.clone()}</option> }
    });
    let only =
        (of.only != Only::All).then(|| view! { <input type="hidden" name="only" value=of.only.as_str()/> });
    view! {
        <div class="filters">
            <ul aria-label="Which traces">{by_end.into_iter().collect_view()}</ul>
            <form action="/dashboard/traces" method="get">
                {only}
                <label>"Route "
                    <select name="route">
                        <option value="">"all"</option>
                        {routes.collect_view()}
                    </select>
                </label>
                <button>"Show"</button>
            </form>
        </div>
    }
    .into_any()
}
