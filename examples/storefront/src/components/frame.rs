//! What goes around every page: the document, header and footer.

use super::{PlainSearch, plain_search::label};
use crate::{
    data::family::Family,
    islands::{BasketCount, SearchSuggestions},
    pages::{About, Basket, Board, FamilyPage, Home, Office, Search},
};
use tropos::{Mode, Page, Revalidate, Scope, prelude::*};

/// Where in the shop a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Shop,
    Search,
    Basket,
    Board,
    About,
}

/// What a page tells the frame around it.
#[derive(Debug, Clone)]
struct Frame {
    place: Place,
    mode: Mode,
    /// What the foot of the page says of its mode.
    made: String,
    /// Tins in the basket, as far as the server may know.
    tins: i64,
}

/// Tells the frame about the page that is being made. Only a page that reads its visitor's cookies knows of tins.
pub fn frame<P: Page>(place: Place, tins: i64) {
    let made = match P::MODE {
        Mode::Ssg => "made once, at build · no script on this page".to_owned(),
        Mode::Isr => format!("{} · {}", age(P::route().ages().revalidate()), tags()),
        Mode::Server => "made for this request · private".to_owned(),
        Mode::Live => format!("{} · pushed into this page", tags()),
    };
    provide_context(Frame { place, mode: P::MODE, made, tins });
}

fn age(revalidate: Revalidate) -> String {
    match revalidate {
        Revalidate::After(age) => format!("{} s", age.as_secs()),
        Revalidate::Never => "until something changes".to_owned(),
    }
}

/// The tags of all that the page has read.
fn tags() -> String {
    const SHOWN: usize = 2;
    let reads = Scope::current().map(|scope| scope.reads()).unwrap_or_default();
    let names: Vec<_> = reads.tags.iter().map(|tag| tag.as_str()).collect();
    match names.as_slice() {
        [] => "no tags".to_owned(),
        names if names.len() <= SHOWN => format!("tags {}", names.join(", ")),
        names => format!(
            "tags {} and {} more",
            names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", "),
            names.len() - SHOWN
        ),
    }
}

/// The document.
pub fn shell(body: AnyView) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" href=asset("favicon.svg") type="image/svg+xml"/>
                <link rel="stylesheet" href=asset("style.css")/>
                <MetaTags/>
            </head>
            <body>{body}</body>
        </html>
    }
}

/// Header and footer around a page, as the page told [`frame`].
pub fn around(page: AnyView) -> impl IntoView {
    let frame = use_context::<Frame>();
    // What is made without a page, such as "not found", is made once for everybody.
    let frame = frame.unwrap_or_else(|| Frame {
        place: Place::Shop,
        mode: Mode::Ssg,
        made: "made once, at start · no script on this page".to_owned(),
        tins: 0,
    });
    let scripted = frame.mode != Mode::Ssg;
    let current = move |place: Place| (place == frame.place).then_some("page");
    let search = match frame.place {
        Place::Search => None,
        _ if scripted => Some(
            view! { <SearchSuggestions action=Search::href().into() query=String::new() placeholder=label() label=label()/> }
                .into_any(),
        ),
        _ => Some(view! { <PlainSearch/> }.into_any()),
    };
    let count = match scripted {
        true => view! { <BasketCount tins=frame.tins/> }.into_any(),
        false => view! { <span class="count"></span> }.into_any(),
    };
    view! {
        <a class="skip" href="#main">"Skip to content"</a>
        <header class="site-head">
            <a class="brand" href=Home::href()>"Umberlow"</a>
            <nav aria-label="Main">
                <ul>
                    <li><a href=format!("{}#families", Home::href())>"Colours"</a></li>
                    <li><a href=Board::href() aria-current=current(Place::Board)>"Board"</a></li>
                    <li><a href=About::href() aria-current=current(Place::About)>"About"</a></li>
                </ul>
            </nav>
            {search}
            <a class="basket-link" href=Basket::href() aria-current=current(Place::Basket)>"Basket"{count}</a>
        </header>
        <main id="main">{page}</main>
        <Foot mode=frame.mode made=frame.made/>
    }
}

#[component]
fn Foot(mode: Mode, made: String) -> impl IntoView {
    let family = |family: Family| {
        view! { <li><a href=FamilyPage::href(family)>{family.title()}</a></li> }
    };
    view! {
        <footer class="site-foot">
            <p>
                <a class="brand" href=Home::href()>"Umberlow"</a>
                <br/>
                <span class="quiet">"Paint, by name."</span>
            </p>
            <ul>
                {Family::ALL.map(family).collect_view()}
                <li><a href=Office::href()>"Back office"</a></li>
            </ul>
            <p class="mode"><b>{mode.as_str()}</b>" "<span>{made}</span></p>
        </footer>
    }
}
