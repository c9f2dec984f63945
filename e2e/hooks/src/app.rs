//! The application.

use crate::{
    hooks::{STORES, hooks},
    pages,
    saw::Saw,
};
use axum::{
    Router,
    body::Bytes,
    extract::Request,
    http::HeaderMap,
    routing::{any, get},
};
use std::collections::BTreeMap;
use tropos::{App, prelude::*};

/// The application with all hooks.
pub fn app() -> App {
    App::new().shell(shell).hooks(hooks()).hook_lookups(look_up).pages(pages::all()).api(api())
}

/// What a Worker has in its key-value stores.
async fn look_up(store: String, name: String) -> tropos::Result<Option<Bytes>> {
    let Some((_, values)) = STORES.into_iter().find(|(known, _)| *known == store) else { return Ok(None) };
    let values: BTreeMap<String, String> = serde_json::from_str(values)?;
    Ok(values.get(&name).cloned().map(Bytes::from))
}

/// Says what it was sent, whatever the method.
fn api() -> Router {
    Router::new().route("/api/echo", any(echo)).route("/api/cors", get(|| async { "an answer" }))
}

async fn echo(headers: HeaderMap, request: Request) -> String {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map(|target| target.as_str().to_owned()).unwrap_or_default();
    // As much as the cases send; a longer body is cut off.
    let body = axum::body::to_bytes(body, 1024).await.unwrap_or_default();
    let mut saw = Saw::default();
    saw.line("method", head.method.as_str());
    saw.line("target", &target);
    saw.headers(&headers);
    saw.line("body", &String::from_utf8_lossy(&body));
    saw.text()
}

fn shell(body: AnyView) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <title>"Hooks"</title>
                <link rel="icon" href="data:,"/>
            </head>
            <body>{body}</body>
        </html>
    }
}
