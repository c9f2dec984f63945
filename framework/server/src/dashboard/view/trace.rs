//! One trace: its spans as bars, and what is known of each.

use super::{
    super::{
        asked::{Asked, TracesOf},
        facts::{
            requests::{cached, shown},
            waterfall::{Bar, bars},
        },
    },
    words,
};
use crate::Site;
use leptos::prelude::*;
use std::time::Duration;
use tropos_telemetry::trace::{Attribute, Span, Trace, TraceId};

pub(super) fn view(site: &Site, id: TraceId) -> AnyView {
    let traces = site.tracer.ring().map(|ring| ring.find(id)).unwrap_or_default();
    if traces.is_empty() {
        let all = Asked::Traces(TracesOf::default()).href();
        return view! {
            <p class="id"><code>{id.to_string()}</code></p>
            <p>"This trace is not among those that are kept: the sampler left it out, or a thousand came after it. "<a href=all>"Traces that are kept"</a></p>
        }
        .into_any();
    }
    let parts = traces.iter().map(|trace| part(trace)).collect::<Vec<_>>();
    view! { <p class="id"><code>{id.to_string()}</code></p>{parts} }.into_any()
}

/// What one request, or one piece of work in the background, has to do with the trace.
fn part(trace: &Trace) -> AnyView {
    let Some(root) = trace.root() else { return ().into_any() };
    let spans: Vec<_> = bars(trace).iter().map(span).collect();
    let left_out = (trace.left_out > 0)
        .then(|| view! { <p class="quiet">{format!("{} spans more had no room.", trace.left_out)}</p> });
    let summary = format!(
        "{} · {} UTC · {} spans · kept since it is {}",
        words::time(Duration::from_nanos(root.took())),
        words::clock(root.start),
        trace.spans.len(),
        trace.kept.as_str(),
    );
    view! {
        <section class="waterfall" aria-label=root.name.to_string()>
            <h2>{root.name.to_string()}</h2>
            <p class="quiet">{summary}</p>
            <div class="scale" aria-hidden="true"><span>"0"</span><span>{words::time(Duration::from_nanos(root.took()))}</span></div>
            <ol class="spans">{spans}</ol>
            {left_out}
        </section>
    }
    .into_any()
}

fn span(bar: &Bar<'_>) -> AnyView {
    let span = bar.span;
    // A bar that is too short to be seen is drawn a little longer: by its least width in the style sheet.
    let place = format!("left:{:.2}%;width:{:.2}%", bar.left.min(99.6), bar.width);
    let look = format!("span s-{}{}", sort(span), if span.failure.is_some() { " failed" } else { "" });
    let indent = format!("padding-left:{:.1}rem", bar.depth as f64 * 0.9);
    let took = words::time(Duration::from_nanos(span.took()));
    let after = words::time(bar.after);
    let name = span.name.to_string();
    view! {
        <li class=look>
            <details>
                <summary>
                    <span class="label" style=indent><b>{name}</b>" "<span class="quiet">{hint(span)}</span></span>
                    <span class="track" aria-hidden="true"><i style=place></i></span>
                    <span class="n">{took}</span>
                </summary>
                {about(span, after)}
            </details>
        </li>
    }
    .into_any()
}

/// The few sorts that have a colour of their own.
fn sort(span: &Span) -> &'static str {
    match span.sort {
        "query" => "db",
        "fetch" => "fetch",
        "cache lookup" | "cache wait" | "cached function" | "regenerate" | "invalidate" => "cache",
        "render" | "suspended" | "live push" => "render",
        _ => "other",
    }
}

/// What a span is about, beside its name.
fn hint(span: &Span) -> String {
    let of = |name: &str| span.attribute(name).map(shown);
    match span.sort {
        "fetch" => of("url.full").or_else(|| of("server.address")).unwrap_or_default(),
        "request" | "cache lookup" | "cached function" => of("tropos.cache.status")
            .and_then(|status| cached(&status))
            .map(|cached| format!("{}: {}", cached.result, cached.reason))
            .unwrap_or_default(),
        _ => String::new(),
    }
}

fn about(span: &Span, after: String) -> AnyView {
    let mut rows = vec![
        ("sort".to_owned(), span.sort.to_owned()),
        ("began after".to_owned(), after),
        ("span".to_owned(), span.id.to_string()),
    ];
    if let Some(failure) = &span.failure {
        rows.push((
            "failure".to_owned(),
            if failure.is_empty() { "yes".to_owned() } else { failure.clone() },
        ));
    }
    rows.extend(span.attributes.iter().map(pair));
    let left_out: u32 = span.left_out.iter().sum();
    if left_out > 0 {
        rows.push(("left out".to_owned(), format!("{left_out} attributes, events or links")));
    }
    let events = span.events.iter().map(|event| {
        let said: Vec<String> =
            event.attributes.iter().map(pair).map(|(name, value)| format!("{name}={value}")).collect();
        (format!("event {}", event.name), format!("{} {}", words::clock(event.at), said.join(" ")))
    });
    rows.extend(events);
    let rows: Vec<_> = rows
        .into_iter()
        .map(|(name, value)| view! { <tr><th scope="row">{name}</th><td>{value}</td></tr> })
        .collect();
    let links: Vec<_> = span
        .links
        .iter()
        .map(|link| {
            let href = Asked::Trace(link.trace).href();
            view! { <tr><th scope="row">"caused by"</th><td><a href=href>{link.trace.to_string()}</a></td></tr> }
        })
        .collect();
    view! { <table class="facts"><tbody>{rows}{links}</tbody></table> }.into_any()
}

fn pair((name, value): &Attribute) -> (String, String) {
    ((*name).to_owned(), shown(value))
}
