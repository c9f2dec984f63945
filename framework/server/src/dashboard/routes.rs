//! The endpoints, and whom they answer.
//!
//! Nobody logs in on the admin listener, so a page of another site could have a browser near it ask. Three things stand in
//! its way. The host that a request names must be an address or `localhost`, since a name could be made to lead here. A
//! form and a stream must come from a page of this very listener, as the browser says it. And a form must bring the token
//! that such a page has, which is new with each process.

use super::{
    asked::{Asked, CacheOf, ROOT, encoded},
    stream::{self, Open},
    view,
};
use crate::{dev, dispatch::guard::host_of, site::Site, statics::HTML};
use axum::{
    Form, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, Uri, header, request::Parts},
    middleware::{Next, from_fn},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use std::sync::Arc;
use tropos_cache::{Strength, revalidate};
use tropos_core::Tag;
use tropos_live::{Hub, Since, Version};

/// A form has a name and a token.
const MOST_BODY: usize = 8 << 10;

/// Nothing but what the listener itself has; the bars of traces are drawn by attributes.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; img-src data:; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// What the endpoints share.
#[derive(Clone)]
pub(super) struct Dashboard {
    site: Arc<Site>,
    pub(super) hub: Hub,
    token: Arc<str>,
}

impl Dashboard {
    pub(super) fn open(&self, asked: Asked) -> Open {
        Open { site: self.site.clone(), token: self.token.clone(), asked }
    }
}

/// The dashboard: a part of the admin listener, for programs that serve one of their own. Nothing, where the configuration does
/// not allow it. Never for the public.
pub fn router<S: Clone + Send + Sync + 'static>(site: &Arc<Site>) -> Router<S> {
    if !site.config.has_dashboard() {
        return Router::new();
    }
    let token = format!("{:032x}", rand::random::<u128>()).into();
    let dashboard = Dashboard { site: site.clone(), hub: stream::hub(), token };
    let beneath = Router::new()
        .route("/dashboard", get(page))
        .route("/dashboard/{*page}", get(page))
        .route("/dashboard/stream", get(changes))
        .route("/dashboard/invalidate", post(invalidate))
        .route("/dashboard/style.css", get(async || file("text/css; charset=utf-8", view::STYLE)))
        .route(
            "/dashboard/live.js",
            get(async || file("text/javascript; charset=utf-8", tropos_live::LIVE_JS)),
        )
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(from_fn(secured))
        .layer(from_fn(dev::only_for_this_machine))
        .with_state(dashboard);
    Router::new().merge(beneath)
}

async fn page(State(dashboard): State<Dashboard>, uri: Uri) -> Response {
    let Some(asked) = Asked::parse(uri.path(), uri.query().unwrap_or_default()) else {
        return (StatusCode::NOT_FOUND, "the dashboard has no such page\n").into_response();
    };
    let open = Arc::new(dashboard.open(asked.clone()));
    match open.html().await {
        Ok(body) => {
            let stream =
                format!("{ROOT}/stream?page={}&since={}", encoded(&asked.href()), Version::of(&body));
            let html = view::document(asked.title(), &stream, &body);
            ([(header::CONTENT_TYPE, HTML)], html).into_response()
        }
        Err(failure) => {
            tracing::error!(%failure, "a page of the dashboard failed");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page failed: the log says why\n").into_response()
        }
    }
}

/// What the stream is of.
#[derive(Debug, Deserialize)]
struct Followed {
    page: String,
}

async fn changes(State(dashboard): State<Dashboard>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    if !is_from_here(&head) {
        return (StatusCode::FORBIDDEN, "a page of another site opened this stream\n").into_response();
    }
    let query = head.uri.query().unwrap_or_default();
    let asked = serde_urlencoded::from_str::<Followed>(query).ok().and_then(|followed| {
        let (path, query) = followed.page.split_once('?').unwrap_or((&followed.page, ""));
        Asked::parse(path, query)
    });
    let Some(asked) = asked else {
        return (StatusCode::BAD_REQUEST, "this is no address of a stream\n").into_response();
    };
    let last_event = head.headers.get("last-event-id").and_then(|id| id.to_str().ok());
    match stream::events(&dashboard, asked, Since::read(last_event, Some(query))) {
        Ok(events) => events,
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "10")], format!("{error}\n"))
            .into_response(),
    }
}

/// What is to be invalidated: one of the two.
#[derive(Debug, Deserialize)]
struct Named {
    token: String,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    path: String,
}

async fn invalidate(State(dashboard): State<Dashboard>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if !is_from_here(&head) {
        return (StatusCode::FORBIDDEN, "a page of another site sent this form\n").into_response();
    }
    let form =
        <Form<Named> as axum::extract::FromRequest<()>>::from_request(Request::from_parts(head, body), &());
    let Form(named) = match form.await {
        Ok(form) => form,
        Err(refused) => return refused.into_response(),
    };
    if !is_token(&named.token, &dashboard.token) {
        // The process is another one since the page was made.
        return (StatusCode::FORBIDDEN, "the form is out of date: load the page again\n").into_response();
    }
    let tag = match (named.tag.as_str(), named.path.as_str()) {
        (tag, "") => Tag::named(tag).map_err(|error| error.to_string()),
        ("", path) => revalidate::path_tag(path).map_err(|error| error.to_string()),
        _ => Err("name a tag or a path, not both".to_owned()),
    };
    let tag = match tag {
        Ok(tag) => tag,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    match dashboard.site.engine.invalidate(&[tag], Strength::Hard).await {
        Ok(sequence) => {
            let done = CacheOf { invalidated: Some(sequence), ..CacheOf::default() };
            Redirect::to(&Asked::Cache(done).href()).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

/// Whether a request was made by a page of this listener, or by no browser at all.
///
/// `Sec-Fetch-Site` decides where it is sent (Fetch Metadata, §2.3), else `Origin`, which must name the host that the request is
/// for (RFC 6454 §7.3). The application's own origin is another site here.
fn is_from_here(head: &Parts) -> bool {
    let text = |name: HeaderName| head.headers.get(name).map(|value| value.to_str().unwrap_or("null"));
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site"))
        && !matches!(site, "same-origin" | "none")
    {
        return false;
    }
    let Some(origin) = text(header::ORIGIN) else { return true };
    let named = origin.split_once("://").map(|(_, named)| named);
    named.is_some_and(|named| host_of(head).is_some_and(|host| host.eq_ignore_ascii_case(named)))
}

/// Compared as a whole, whatever the first difference.
fn is_token(sent: &str, own: &str) -> bool {
    blake3::hash(sent.as_bytes()) == blake3::hash(own.as_bytes())
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

async fn secured(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    // What it shows is out of date in a second. And the origin of a form is told to this listener alone.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_come_from_this_listener_or_from_no_browser() {
        let cases: [(&[(&str, &str)], bool); 9] = [
            (&[], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("origin", "http://127.0.0.1:3001")], true),
            (&[("origin", "http://127.0.0.1:3001"), ("sec-fetch-site", "same-origin")], true),
            (&[("origin", "http://127.0.0.1:3000")], false),
            (&[("origin", "null")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
        ];
        for (headers, allowed) in cases {
            let mut request =
                http::Request::builder().uri("/dashboard/invalidate").header("host", "127.0.0.1:3001");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(is_from_here(&head), allowed, "{headers:?}");
        }
    }

    #[test]
    fn a_token_is_the_whole_of_it() {
        assert!(is_token("abc", "abc"));
        for wrong in ["", "ab", "abcd", "abd"] {
            assert!(!is_token(wrong, "abc"), "{wrong}");
        }
    }
}
