use crate::islands::Counter;
use leptos::prelude::*;
use tropos::{App, live_url, prelude::*};

/// What the test edits.
fn number() -> u32 {
    1
}

pub fn app() -> App {
    App::new().shell(shell).pages(routes![Home, Now])
}

fn shell(body: AnyView) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <link rel="stylesheet" href=asset("style.css")/>
            </head>
            <body>{body}</body>
        </html>
    }
}

#[page("/", server)]
pub async fn Home() -> PageResult {
    view! { <main><p id="number">{number()}</p><Counter/></main> }.into_page()
}

#[page("/now", live)]
pub async fn Now() -> PageResult {
    view! { <main data-live=live_url()>{number()}</main> }.into_page()
}
