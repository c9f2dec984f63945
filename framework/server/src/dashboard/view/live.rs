//! Pages that readers have open and that follow their data.

use super::{
    super::facts::standing::{MOST_SHOWN, Open},
    frame::{Set, table},
    words,
};
use crate::Site;
use leptos::prelude::*;

pub(super) fn view(site: &Site) -> AnyView {
    let open = Open::of(site, &site.meter.registry().snapshot());
    let pages = open.by_path.iter().map(|(path, watchers, own)| {
        let kind = if *own { "each reader's own" } else { "shared" };
        view! {
            <tr>
                <th scope="row"><code>{path.clone()}</code></th>
                <td>{kind}</td>
                <td class="n">{words::number(*watchers as u64)}</td>
            </tr>
        }
        .into_any()
    });
    let sent = open.sent.iter().map(|(route, frames, bytes)| {
        view! {
            <tr>
                <th scope="row">{route.clone()}</th>
                <td class="n">{words::counted(*frames)}</td>
                <td class="n">{words::bytes(*bytes)}</td>
            </tr>
        }
        .into_any()
    });
    let summary = format!(
        "Open pages: {}. Those that differ: {}; each of these is rendered once for all who have it open.",
        words::number(open.sessions as u64),
        words::number(open.pages as u64),
    );
    let caption = format!("Open pages, at most {MOST_SHOWN} of them");
    view! {
        <p>{summary}</p>
        {table("open", caption, &[("Path", Set::Text), ("Render", Set::Text), ("Readers", Set::Number)], pages.collect(), "Nobody has a live page open.")}
        {table("sent", "Sent since the start", &[("Route", Set::Text), ("Changes", Set::Number), ("Bytes", Set::Number)], sent.collect(), "Nothing has been sent yet.")}
        <p class="quiet">"Queries of addresses are left out. The pages of this dashboard are not counted."</p>
    }
    .into_any()
}
