//! What the cache holds, and a button for what should go.

use super::{
    super::asked::{Asked, CacheOf},
    frame::{Set, table},
    words,
};
use crate::Site;
use leptos::prelude::*;
use tropos_cache::listing::{Group, Listed, State, Wanted, source_of};

/// Routes and tags that are shown, each.
const MOST_GROUPS: usize = 100;

/// Entries that are shown.
const MOST_ENTRIES: usize = 100;

/// Tags of an entry that are shown.
const MOST_TAGS: usize = 8;

pub(super) fn view(site: &Site, of: &CacheOf, token: &str) -> AnyView {
    let wanted = Wanted { source: of.source.clone(), tag: of.tag.clone() };
    let listing = site.engine.listing(&wanted, MOST_ENTRIES);
    let stats = site.engine.stats();
    let done = of.invalidated.map(|sequence| {
        view! { <p class="done" role="status">{format!("Invalidated, as number {sequence} of the sequence. What carried the tag is made anew when it is asked for.")}</p> }
    });
    let holds = format!(
        "{} pages in {}, {} fetched answers and results of functions in {}, {} of \"not found\". Bound: {}.",
        words::number(stats.page_entries as u64),
        words::bytes(stats.page_bytes as f64),
        words::number(stats.data_entries as u64),
        words::bytes(stats.data_bytes as f64),
        words::number(stats.negative_entries as u64),
        words::bytes(site.config.cache_bytes as f64),
    );
    let sampled = (listing.read < listing.held).then(|| {
        view! { <p class="note">{format!(
            "A sample: {} of {} entries were looked at, and the numbers below are of these.",
            words::number(listing.read as u64),
            words::number(listing.held as u64),
        )}</p> }
    });
    let sources = listing.sources.iter().take(MOST_GROUPS).map(|(name, group)| {
        let href = Asked::Cache(CacheOf { source: Some(name.clone()), ..CacheOf::default() }).href();
        group_row(view! { <a href=href>{name.clone()}</a> }.into_any(), group, None)
    });
    let tags = listing.tags.iter().take(MOST_GROUPS).map(|(tag, group)| {
        let href = Asked::Cache(CacheOf { tag: Some(tag.to_string()), ..CacheOf::default() }).href();
        let form = button("tag", tag.to_string(), token);
        group_row(view! { <a href=href>{tag.to_string()}</a> }.into_any(), group, Some(form))
    });
    let entries = listing.entries.iter().map(|entry| entry_row(entry, token));
    let tag_caption = caption("By tag", listing.tags.len(), listing.tags_left_out);
    view! {
        {done}
        <p>{holds}</p>
        {sampled}
        {by_hand(token)}
        {table("sources", caption("By route and function", listing.sources.len(), false), &group_columns(false), sources.collect(), "Nothing is stored in memory.")}
        {table("tags", tag_caption, &group_columns(true), tags.collect(), "Nothing in memory carries a tag.")}
        {filter(of)}
        {table("entries", entries_caption(listing.entries.len(), listing.matching), &ENTRY_COLUMNS, entries.collect(), "No entry in memory is like that.")}
        <p class="quiet">"The memory of this instance: what is on disk, in a shared store or in the build, and is not in memory, is not listed. An invalidation is hard and reaches all of them, on every instance."</p>
    }
    .into_any()
}

fn caption(of: &str, count: usize, more: bool) -> String {
    match (count > MOST_GROUPS, more) {
        (false, _) => of.to_owned(),
        (true, false) => format!("{of}: the largest {MOST_GROUPS} of {}", words::number(count as u64)),
        (true, true) => {
            format!("{of}: the largest {MOST_GROUPS} of more than {}", words::number(count as u64))
        }
    }
}

fn entries_caption(shown: usize, matching: usize) -> String {
    match shown < matching {
        true => format!("Entries: the youngest {shown} of {}", words::number(matching as u64)),
        false => "Entries".to_owned(),
    }
}

fn group_columns(is_tag: bool) -> Vec<(&'static str, Set)> {
    let mut columns = vec![
        (if is_tag { "Tag" } else { "Route or function" }, Set::Text),
        ("Pages", Set::Number),
        ("Data", Set::Number),
        ("Stale", Set::WideNumber),
        ("Unusable", Set::WideNumber),
        ("Bytes", Set::WideNumber),
        ("Youngest", Set::WideNumber),
        ("Oldest", Set::Number),
    ];
    if is_tag {
        columns.push(("Invalidate", Set::Text));
    }
    columns
}

fn group_row(name: AnyView, group: &Group, form: Option<AnyView>) -> AnyView {
    view! {
        <tr>
            <th scope="row">{name}</th>
            <td class="n">{words::number(group.pages as u64)}</td>
            <td class="n">{words::number(group.data as u64)}</td>
            <td class="n wide">{words::number(group.stale as u64)}</td>
            <td class="n wide">{words::number(group.unusable as u64)}</td>
            <td class="n wide">{words::bytes(group.bytes as f64)}</td>
            <td class="n wide">{words::age(group.youngest)}</td>
            <td class="n">{words::age(group.oldest)}</td>
            {form.map(|form| view! { <td>{form}</td> })}
        </tr>
    }
    .into_any()
}

const ENTRY_COLUMNS: [(&str, Set); 6] = [
    ("Entry", Set::Text),
    ("Age", Set::Number),
    ("State", Set::Text),
    ("Bytes", Set::WideNumber),
    ("Tags", Set::Wide),
    ("Invalidate", Set::Text),
];

fn entry_row(entry: &Listed, token: &str) -> AnyView {
    let (state, look) = match entry.state {
        State::Fresh => ("fresh", "mark good"),
        State::Stale => ("stale", "mark warn"),
        State::Unusable => ("unusable", "mark"),
    };
    let more = entry.tags.len().saturating_sub(MOST_TAGS);
    let tags: Vec<_> = entry
        .tags
        .iter()
        .take(MOST_TAGS)
        .map(|tag| {
            let href = Asked::Cache(CacheOf { tag: Some(tag.to_string()), ..CacheOf::default() }).href();
            view! { <a href=href>{tag.to_string()}</a>" " }
        })
        .collect();
    let more = (more > 0).then(|| format!("and {more} more"));
    // Arguments and digests are values: of data it is shown what made it, and no more.
    let (name, form) = match entry.key.as_page() {
        Some(page) => {
            let target = match (page.query, page.variants) {
                ("", "") => page.path.to_owned(),
                (query, "") => format!("{}?{query}", page.path),
                ("", variants) => format!("{} ({variants})", page.path),
                (query, variants) => format!("{}?{query} ({variants})", page.path),
            };
            (target, Some(button("path", page.path.to_owned(), token)))
        }
        None => (source_of(&entry.key).to_owned(), None),
    };
    let negative = entry.negative.then(|| view! { " "<span class="mark">"not found"</span> });
    view! {
        <tr>
            <th scope="row"><code>{name}</code></th>
            <td class="n">{words::age(entry.age)}</td>
            <td><span class=look>{state}</span>{negative}</td>
            <td class="n wide">{words::bytes(entry.bytes as f64)}</td>
            <td class="wide tags">{tags}{more}</td>
            <td>{form}</td>
        </tr>
    }
    .into_any()
}

/// What invalidates `value`, which is a `tag` or a `path`.
fn button(kind: &'static str, value: String, token: &str) -> AnyView {
    let label = format!("Invalidate {kind} {value}");
    view! {
        <form method="post" action="/dashboard/invalidate">
            <input type="hidden" name="token" value=token.to_owned()/>
            <input type="hidden" name=kind value=value/>
            <button aria-label=label>"Invalidate"</button>
        </form>
    }
    .into_any()
}

/// For a tag that nothing in memory carries.
fn by_hand(token: &str) -> AnyView {
    view! {
        <form class="by-hand" method="post" action="/dashboard/invalidate">
            <input type="hidden" name="token" value=token.to_owned()/>
            <label>"Tag "<input name="tag" required maxlength="128" autocomplete="off" spellcheck="false"/></label>
            <button>"Invalidate"</button>
        </form>
    }
    .into_any()
}

fn filter(of: &CacheOf) -> Option<AnyView> {
    let by = match (&of.source, &of.tag) {
        (None, None) => return None,
        (Some(source), None) => format!("made by {source}"),
        (None, Some(tag)) => format!("with the tag {tag}"),
        (Some(source), Some(tag)) => format!("made by {source}, with the tag {tag}"),
    };
    let all = Asked::Cache(CacheOf::default()).href();
    Some(view! { <p class="note">{format!("Entries {by}. ")}<a href=all>"All entries"</a></p> }.into_any())
}
