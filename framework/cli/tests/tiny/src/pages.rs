use crate::islands::Counter;
use leptos::prelude::*;
use std::{io, path};
use tropos::{App, Path, prelude::*, redirect_permanently};

pub fn app() -> App {
    let mut pages = routes![Home, Item, Old, Feed];
    if path::Path::new("data/.now").exists() {
        pages.extend(routes![Now]);
    }
    App::new().shell(shell).pages(pages)
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

/// Each file is an item.
async fn names() -> tropos::Result<Vec<String>> {
    let files = std::fs::read_dir("data")?;
    let mut names = Vec::new();
    for file in files {
        let name = file?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[page("/", ssg)]
pub async fn Home() -> PageResult {
    let links = names().await?.into_iter().map(|name| {
        let href = Item::href(name.clone()).to_string();
        view! { <a href=href>{name}</a> }
    });
    view! { <main>{links.collect_view()}<a href="/old">"old"</a><Counter/></main> }.into_page()
}

#[page("/items/:name", ssg(prerender = names))]
pub async fn Item(Path(name): Path<String>) -> PageResult {
    let text = std::fs::read_to_string(format!("data/{name}"))?;
    if text.starts_with("broken") {
        return Err(io::Error::other(format!("the data of {name} is broken")).into());
    }
    let href = text.trim().to_owned();
    view! { <main><p id="text">{text}</p><a href=href>"on"</a></main> }.into_page()
}

#[page("/old", ssg)]
pub async fn Old() -> PageResult {
    Err(redirect_permanently("/items/one"))
}

#[page("/v1.0/news", ssg)]
pub async fn Feed() -> PageResult {
    view! { <main>"news"</main> }.into_page()
}

#[page("/now", server)]
pub async fn Now() -> PageResult {
    view! { <main>"now"</main> }.into_page()
}
