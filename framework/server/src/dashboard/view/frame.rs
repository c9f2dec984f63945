//! The document, the navigation, and what all pages are built of.

use super::super::asked::{Asked, ROOT, sections};
use super::super::facts::requests::{Cached, Line};
use super::words;
use leptos::prelude::*;

/// The document around a body. The body is HTML already, the rest is text of this program and addresses without markup.
pub(in super::super) fn document(title: &str, stream: &str, body: &str) -> String {
    let stream = stream.replace('&', "&amp;");
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · Tropos</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><meta name=\"robots\" content=\"noindex\">\
         <link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"{ROOT}/style.css\">\
         <meta name=\"tropos-live\" content=\"{stream}\"><script type=\"module\" src=\"{ROOT}/live.js\"></script>\
         </head><body>{body}</body></html>"
    )
}

/// A section within its page.
pub(super) fn around(asked: &Asked, section: AnyView) -> AnyView {
    let links = sections().map(|(name, target)| {
        let current = asked.is_in(&target).then_some("page");
        view! { <li><a href=target.href() aria-current=current>{name}</a></li> }
    });
    view! {
        <a class="skip" href="#main">"Skip to the page"</a>
        <header>
            <p class="name">"Tropos"</p>
            <nav aria-label="Sections"><ul>{links.into_iter().collect_view()}</ul></nav>
            <p class="state">
                <span class="on">"Live"</span>
                <span class="off">"Not followed"</span>
                <a href=asked.href()>"Refresh"</a>
            </p>
        </header>
        <main id="main">
            <h1>{asked.title()}</h1>
            {section}
        </main>
    }
    .into_any()
}

/// How a column is set.
#[derive(Clone, Copy)]
pub(super) enum Set {
    Text,
    /// Numbers stand to the right.
    Number,
    /// What may be left out where there is little room.
    Wide,
    /// Both.
    WideNumber,
}

/// A table. `rows` are its rows; where there are none, `empty` says why.
pub(super) fn table(
    id: &'static str,
    caption: impl Into<String>,
    columns: &[(&'static str, Set)],
    rows: Vec<AnyView>,
    empty: &'static str,
) -> AnyView {
    let caption: String = caption.into();
    if rows.is_empty() {
        return view! { <section id=id><h2>{caption}</h2><p class="quiet">{empty}</p></section> }.into_any();
    }
    let heads: Vec<_> = columns
        .iter()
        .map(|(name, set)| view! { <th scope="col" class=class_of(*set)>{*name}</th> })
        .collect();
    let label = caption.clone();
    // What is wider than the screen is scrolled by itself, also by keys.
    view! {
        <section id=id>
            <div class="scroll" role="region" aria-label=label tabindex="0">
                <table>
                    <caption>{caption}</caption>
                    <thead><tr>{heads}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

pub(super) fn class_of(set: Set) -> Option<&'static str> {
    match set {
        Set::Text => None,
        Set::Number => Some("n"),
        Set::Wide => Some("wide"),
        Set::WideNumber => Some("n wide"),
    }
}

/// A figure of the overview.
pub(super) fn tile(name: &'static str, value: String, about: String) -> AnyView {
    view! { <div class="tile"><dt>{name}</dt><dd><b>{value}</b><span>{about}</span></dd></div> }.into_any()
}

/// What the cache did: the word, and why.
pub(super) fn cached(cached: Option<&Cached>) -> AnyView {
    let Some(cached) = cached else { return view! { <span class="quiet">"–"</span> }.into_any() };
    let look = match cached.result {
        "hit" => "mark good",
        "stale" => "mark warn",
        _ => "mark",
    };
    view! { <span class=look>{cached.result}</span>" "<span class="quiet why">{cached.reason.clone()}</span> }
        .into_any()
}

/// The status of a request, or what became of it otherwise.
pub(super) fn status(line: &Line) -> AnyView {
    let text = line.status.map_or_else(String::new, |status| status.to_string());
    let look = match line.status {
        Some(500..) => "mark bad",
        Some(400..) => "mark warn",
        _ => "mark",
    };
    let status = (!text.is_empty()).then(|| view! { <span class=look>{text}</span> });
    let failed = (line.failed && !matches!(line.status, Some(500..)))
        .then(|| view! { " "<span class="mark bad">"failed"</span> });
    let left = line.left.then(|| view! { " "<span class="mark">"left"</span> });
    view! { {status}{failed}{left} }.into_any()
}

/// What a line is of: its name leads to its trace.
pub(super) fn name(line: &Line) -> AnyView {
    let href = Asked::Trace(line.id).href();
    let path = line.path.clone().filter(|path| Some(path) != line.route.as_ref());
    view! {
        <a href=href>{line.name.clone()}</a>
        {path.map(|path| view! { " "<span class="quiet path">{path}</span> })}
    }
    .into_any()
}

/// The time of the day of a moment; where there is little room, without what is less than a second.
pub(super) fn at(nanos: u64) -> AnyView {
    let text = words::clock(nanos);
    let (seconds, millis) = text.split_once('.').unwrap_or((&text, ""));
    view! { {seconds.to_owned()}<span class="wide">{format!(".{millis}")}</span> }.into_any()
}

/// How long the longest of them took, in seconds: what their bars are drawn by.
pub(super) fn longest(lines: &[Line]) -> f64 {
    lines.iter().map(|line| line.took).max().unwrap_or_default().as_secs_f64()
}

/// How long something took, with a bar beside it: its part of the longest, in seconds.
pub(super) fn took(line: &Line, longest: f64) -> AnyView {
    let part = if longest > 0.0 { line.took.as_secs_f64() / longest } else { 0.0 };
    let width = format!("width:{:.1}%", (part * 100.0).clamp(0.0, 100.0));
    view! { {words::time(line.took)}<span class="bar" aria-hidden="true"><i style=width></i></span> }
        .into_any()
}
