//! What is shown where there is no page, and where a page failed. Both are made once, at start.

use super::Home;
use crate::frame::SITE;
use tropos::prelude::*;

pub fn not_found() -> impl IntoView {
    view! {
        <Title text=format!("Not found · {SITE}")/>
        <h1>"There is no such page."</h1>
        <p class="lead"><a href=Home::href()>"To the front page"</a></p>
    }
}

pub fn failed() -> impl IntoView {
    view! {
        <Title text=format!("Something went wrong · {SITE}")/>
        <h1>"This page could not be made."</h1>
        <p class="lead">"It is our fault, and it has been logged. Try again in a moment."</p>
    }
}
