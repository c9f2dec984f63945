//! What a patch makes of a page is what the compiler would have made: both states of `pages/` are compiled, and what
//! Leptos renders of the first is patched into what it renders of the second.
//!
//! Leptos writes its markers only if it was compiled with `LEPTOS_WATCH`. With that
//! (`LEPTOS_WATCH=1 cargo test -p tropos-dev --test compiled`, which compiles Leptos anew) all is as in a page; without
//! it, the markers of the outermost views are put in by the test, and what is inside of others is left out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod model;

#[path = "pages/after.rs"]
mod after;
#[path = "pages/before.rs"]
mod before;

use leptos::prelude::*;
use model::Page;
use tropos_dev::views::{Change, Sources, ViewPatch};

const PATH: &str = "framework/dev/tests/pages/before.rs";
const BEFORE: &str = include_str!("pages/before.rs");
const AFTER: &str = include_str!("pages/after.rs");
const MARKED: bool = option_env!("LEPTOS_WATCH").is_some();

fn html<V: IntoView>(view: impl FnOnce() -> V) -> String {
    let owner = Owner::new();
    owner.with(|| view().to_html())
}

/// Name, both states, and whether it takes the markers of views within.
fn cases() -> Vec<(&'static str, String, String, bool)> {
    macro_rules! cases {
        ($($name:ident $inner:expr,)*) => {
            vec![$((stringify!($name), html(before::$name), html(after::$name), $inner)),*]
        };
    }
    cases! {
        text false, texts false, attributes false, wrapped false, fragment false, rows true, components true, each false,
        shown false, nothing false, moved false, escapes false, inert false,
    }
}

fn patches() -> Vec<ViewPatch> {
    let mut sources = Sources::new();
    sources.load(PATH, BEFORE);
    match sources.change(PATH, AFTER) {
        Change::Patch(patches) => patches,
        other => panic!("{other:?}: {:?}", culprits()),
    }
}

/// Which functions alone are no patch.
fn culprits() -> Vec<String> {
    let parts = |text: &'static str| text.split("\n}\n").collect::<Vec<_>>();
    let (before, after) = (parts(BEFORE), parts(AFTER));
    let one = |at: usize| {
        let mut edited = before.clone();
        edited[at] = after[at];
        let mut sources = Sources::new();
        sources.load(PATH, BEFORE);
        let change = sources.change(PATH, &edited.join("\n}\n"));
        matches!(change, Change::Code).then(|| before[at].to_owned())
    };
    (0..before.len()).filter_map(one).collect()
}

/// The markers of the view that begins `function`, where Leptos did not write them.
fn marked(function: &str, html: String) -> String {
    if MARKED {
        return html;
    }
    let start = BEFORE.find(&format!("pub fn {function}()")).unwrap();
    let view = start + BEFORE[start..].find("    view! {").unwrap();
    let line = BEFORE[..view].lines().count() + 1;
    let id = format!("{}-{line}", PATH.replace('/', "-"));
    format!("<!--hot-reload|{id}|open-->{html}<!--hot-reload|{id}|close-->")
}

#[test]
fn a_patched_page_is_the_page_that_the_compiler_makes() {
    let patches: Vec<_> = patches().iter().map(|patch| serde_json::to_value(patch).unwrap()).collect();
    let mut wrong = Vec::new();
    for (name, before, after, inner) in cases() {
        if inner && !MARKED {
            continue;
        }
        let mut page = Page::parse(&marked(name, before));
        let wanted = Page::parse(&after).seen();
        assert_ne!(page.seen(), wanted, "{name}");
        let mut places = 0;
        for patch in &patches {
            match page.apply(patch) {
                Ok(count) => places += count,
                Err(error) => wrong.push(format!("{name}: {error} in {}", page.seen())),
            }
        }
        assert!(places > 0, "{name}: not found: {:?}", page.nodes);
        if page.seen() != wanted {
            wrong.push(format!("{name}:\n  found  {}\n  wanted {wanted}", page.seen()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn patches_that_were_applied_change_nothing_again() {
    let patches: Vec<_> = patches().iter().map(|patch| serde_json::to_value(patch).unwrap()).collect();
    for (name, before, _, inner) in cases() {
        if inner && !MARKED {
            continue;
        }
        let mut page = Page::parse(&marked(name, before));
        for patch in &patches {
            page.apply(patch).unwrap();
        }
        let once = page.seen();
        for patch in &patches {
            page.apply(patch).unwrap();
        }
        assert_eq!(page.seen(), once, "{name}");
    }
}

#[test]
fn what_rust_made_is_moved_and_never_made_anew() {
    let patches: Vec<_> = patches().iter().map(|patch| serde_json::to_value(patch).unwrap()).collect();
    let (_, before, _, _) = cases().into_iter().find(|case| case.0 == "moved").unwrap();
    let mut page = Page::parse(&marked("moved", before));
    let text = |page: &Page, text: &str| {
        page.nodes.iter().position(|kind| *kind == model::Kind::Text(text.to_owned())).unwrap()
    };
    let (a, b) = (text(&page, "A"), text(&page, "2"));
    for patch in &patches {
        page.apply(patch).unwrap();
    }
    assert_eq!((text(&page, "A"), text(&page, "2")), (a, b));
    assert!(page.seen().contains("<span>2</span>") && page.seen().contains("+A</p>"), "{}", page.seen());
}
