//! What is shown where there is no page, or where a page failed: a wall with one patch missing.

use super::{Home, Search};
use crate::{components::frame::around, data::product::paint};
use tropos::prelude::*;

/// Slumber.
const NOT_FOUND: &str = "#2d517c";
/// Brick Red.
const FAILED: &str = "#8f1402";

/// There is no such page.
pub fn not_found() -> impl IntoView {
    let page = view! {
        <Title text="Not found · Umberlow"/>
        <section class="lost paint" style=paint(NOT_FOUND)>
            <h1>"No such colour."</h1>
            <p>
                "The page you asked for is not here. It may have been painted over. The colour you are looking at instead is Slumber."
            </p>
            <p class="acts">
                <a class="button" href=Home::href()>"To the front page"</a>
                " "
                <a class="button plain" href=Search::href()>"Search"</a>
            </p>
        </section>
    };
    around(page.into_any())
}

/// The page failed.
pub fn failed() -> impl IntoView {
    let page = view! {
        <Title text="Something went wrong · Umberlow"/>
        <section class="lost paint" style=paint(FAILED)>
            <h1>"We spilled it."</h1>
            <p>"Something broke on our side while this page was being made. Your basket is safe. Try again in a moment."</p>
            <p class="acts">
                <a class="button" href="">"Try again"</a>
                " "
                <a class="button plain" href=Home::href()>"To the front page"</a>
            </p>
        </section>
    };
    around(page.into_any())
}
