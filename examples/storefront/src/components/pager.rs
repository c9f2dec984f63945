//! From one page of a list to the next.

use crate::data::search::pages;
use tropos::prelude::*;

/// Links to the pages of a list; nothing where there is one page.
#[component]
pub fn Pager(
    /// The page shown, from 1.
    page: u32,
    /// How many things there are.
    total: i64,
    /// How many stand on a page.
    size: i64,
    /// The address of a page.
    #[prop(into)]
    href: Callback<u32, String>,
) -> impl IntoView {
    let pages = pages(total, size);
    let number = move |number: u32| {
        let current = (number == page).then_some("page");
        view! { <li><a href=href.run(number) aria-current=current>{number}</a></li> }
    };
    let side = move |shown: bool, to: u32, rel: &'static str, text: &'static str| match shown {
        true => view! { <a href=href.run(to) rel=rel>{text}</a> }.into_any(),
        false => view! { <span></span> }.into_any(),
    };
    (pages > 1).then(|| {
        view! {
            <nav class="pager" aria-label="Pages">
                {side(page > 1, page.saturating_sub(1), "prev", "Previous")}
                <ol>{(1..=pages).map(number).collect_view()}</ol>
                <span class="quiet">{format!("Page {page} of {pages}")}</span>
                {side(page < pages, page + 1, "next", "Next")}
            </nav>
        }
    })
}
