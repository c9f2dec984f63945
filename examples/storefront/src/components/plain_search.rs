//! The search field of pages that carry no script.

use crate::{data::product::grouped, pages::Search, seed};
use tropos::prelude::*;

/// The search field of pages that carry no script.
#[component]
pub fn PlainSearch() -> impl IntoView {
    view! {
        <form class="search" role="search" action=Search::href() method="get">
            <label class="off" for="q">{label()}</label>
            <input id="q" type="search" name="q" placeholder=label() autocomplete="off"/>
            <button>"Search"</button>
        </form>
    }
}

/// What search fields are called.
pub fn label() -> String {
    format!("Search {} colours", grouped(seed::count()))
}
