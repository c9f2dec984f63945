//! Drafts of stored pages, and the endpoint by which a visitor comes to see them.

use super::{reply, revalidate::knows, streamed};
use crate::{
    dev, draft,
    edge::{self, policy},
    request::{ResponseHead, cookie_pairs},
    routing::PageRoute,
    site::Site,
};
use axum::body::Body;
use cookie::{Cookie, SameSite};
use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Limited};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tropos_cache::{
    Purpose, Reason, Scope,
    http::{Detail, lifetime::PRIVATE_NO_STORE},
};
use tropos_core::{Failure, PageError, Params};
use tropos_telemetry::errors::Kind;

/// A path and its JSON.
const LONGEST_BODY: usize = 16 * 1024;

/// What `POST /_tropos/draft` is told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    /// Where the link leads.
    #[serde(default = "front_page")]
    to: String,
}

fn front_page() -> String {
    "/".to_owned()
}

/// What it answers.
#[derive(Debug, Serialize)]
struct Given {
    /// An address that, opened by a browser, shows drafts to it.
    link: String,
}

impl Site {
    /// Whether the request carries a cookie by which its visitor sees drafts. Costs a look at one header where it does not.
    pub(super) fn sees_drafts(&self, head: &Parts) -> bool {
        let Some(drafts) = self.cx.drafts() else { return false };
        let name = draft::cookie_name(self.is_secure());
        // Any of that name: a forged one before the good one must not hide it.
        cookie_pairs(&head.headers).any(|(known, value)| known == name && drafts.accepts(value))
    }

    /// A stored page, rendered afresh for this visitor alone.
    pub(super) async fn drafted(
        self: &Arc<Self>,
        page: &Arc<PageRoute>,
        params: Params,
        request: &Parts,
    ) -> Response<Body> {
        let chosen = edge::variants(request);
        let Ok(inputs) = page.route.inputs(request.uri.query().unwrap_or_default(), chosen) else {
            return self.not_found();
        };
        let cx = self.draft_cx(page.route.mode(), params, inputs);
        let nonce = cx.nonce().clone();
        let scope = Scope::draft(&self.engine, Purpose::Once);
        scope.set_route(page.route.pattern());
        self.meter.page_read(&page.route, Reason::Bypass, true);
        dev::watched(request).inspect(|recording| recording.within(&scope));
        let render = scope.run(super::stored::render_whole(page, cx.clone()));
        let rendered = tokio::time::timeout(streamed::HEAD_TIMEOUT, render).await;
        let response = match rendered {
            Ok(Ok(html)) => policy::of_render(Body::from(html), nonce),
            Ok(Err(error)) => {
                self.errors.page_failed(Kind::Page, page, &cx, &error);
                self.instead(page, request.uri.path(), error)
            }
            Err(_) => {
                let failure = Failure::new("the draft took longer than 30 s");
                self.instead(page, request.uri.path(), PageError::Failed(failure))
            }
        };
        // What a stored page would set is left out here as well: a draft shows what readers will see.
        streamed::for_one_visitor(response, &ResponseHead::open(), Detail::Draft)
    }

    /// `POST /_tropos/draft` by whoever knows the secret, `GET` with a signed link, and `POST /_tropos/draft/off`.
    pub(super) async fn draft_mode(self: &Arc<Self>, own: &str, head: &Parts, body: Body) -> Response<Body> {
        let (Some(drafts), Some(secret)) = (self.cx.drafts(), &self.config.draft_secret) else {
            return self.not_found();
        };
        let secure = self.is_secure();
        match (own, &head.method) {
            ("draft/off", &Method::POST) => {
                if !super::guard::is_same_site(head, &self.config) {
                    return reply::plain(StatusCode::FORBIDDEN, "a page of another site sent this request");
                }
                let back = super::guard::referring_path(head, &self.config).unwrap_or_else(front_page);
                with_cookie(see_other(&back), draft::expired(secure), secure)
            }
            ("draft", &Method::GET) => match drafts.open(head.uri.query().unwrap_or_default()) {
                Some(to) => with_cookie(see_other(&to), drafts.cookie(secure), secure),
                None => reply::plain(StatusCode::FORBIDDEN, "this link is not valid, or not any more"),
            },
            ("draft", &Method::POST) => {
                if !knows(head, secret) {
                    return reply::unauthorized("the secret is missing or wrong");
                }
                let Ok(body) = Limited::new(body, LONGEST_BODY).collect().await else {
                    return reply::plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 16 KiB");
                };
                let body = body.to_bytes();
                let body = if body.is_empty() { b"{}".as_slice().into() } else { body };
                let call: Call = match serde_json::from_slice(&body) {
                    Ok(call) => call,
                    Err(error) => {
                        return reply::plain(StatusCode::BAD_REQUEST, &format!("malformed: {error}"));
                    }
                };
                match drafts.link(&call.to) {
                    Some(link) => {
                        let origin = self.config.origin.as_deref().unwrap_or_default();
                        let given = Given { link: format!("{origin}{link}") };
                        with_cookie(reply::json(&given), drafts.cookie(secure), secure)
                    }
                    None => {
                        reply::plain(StatusCode::BAD_REQUEST, "`to` must be a path that begins with one `/`")
                    }
                }
            }
            _ => reply::wrong_method(if own == "draft" { "GET, POST" } else { "POST" }),
        }
    }
}

/// RFC 9110 §15.4.4. The address that is left is a secret for ten minutes, so it is not told to where this leads.
fn see_other(to: &str) -> Response<Body> {
    let mut response = reply::plain(StatusCode::SEE_OTHER, "");
    *response.body_mut() = Body::empty();
    if let Some(location) = reply::location(to) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn with_cookie(mut response: Response<Body>, mut cookie: Cookie<'static>, secure: bool) -> Response<Body> {
    cookie.set_http_only(true);
    cookie.set_same_site(SameSite::Lax);
    cookie.set_path("/");
    cookie.set_secure(secure.then_some(true));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, PRIVATE_NO_STORE);
    if let Ok(value) = HeaderValue::try_from(cookie.encoded().to_string()) {
        headers.append(header::SET_COOKIE, value);
    }
    response
}
