//! What browsers report, at `POST /_tropos/error`: the script of islands sends there what nothing has caught.
//!
//! Anybody can send anything there, so it is believed nothing, is bounded in every way, and answers nothing.

use crate::{
    dispatch::{guard, reply},
    edge::client_of,
    site::Site,
    traces,
};
use axum::body::Body;
use http::{Method, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Limited};
use std::time::Duration;
use tropos_core::CanonicalPath;
use tropos_telemetry::errors::{BrowserError, LONGEST_BROWSER_ERROR};

/// Who takes longer for so little is no browser.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

impl Site {
    /// Takes the report of a browser. Where nobody is to be told it is dropped unread: the script does not know, and a browser
    /// would show a refusal as a mistake of the page.
    pub(crate) async fn error_of_browser(&self, head: &Parts, body: Body) -> Response<Body> {
        if head.method != Method::POST {
            return reply::wrong_method("POST");
        }
        let Some(inner) = self.errors.inner() else { return taken() };
        if !guard::is_from_own_page(head, &self.config) {
            return reply::plain(StatusCode::FORBIDDEN, "only a page of this site reports here");
        }
        let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if kind != "application/json" {
            return reply::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "write application/json");
        }
        let now = inner.reporter.now();
        let client = client_of(head, &self.config);
        if !inner.of_one.admit(client, now) || !inner.of_all.admit((), now) {
            return reply::plain(StatusCode::TOO_MANY_REQUESTS, "too many reports");
        }
        let body = Limited::new(body, LONGEST_BROWSER_ERROR).collect();
        let body = match tokio::time::timeout(BODY_TIMEOUT, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) => {
                return reply::plain(StatusCode::PAYLOAD_TOO_LARGE, "the report is longer than 16 KiB");
            }
            Err(_) => return reply::plain(StatusCode::REQUEST_TIMEOUT, "the report took longer than 5 s"),
        };
        let error = match BrowserError::read(&body) {
            Ok(error) => error,
            Err(problem) => return reply::plain(StatusCode::BAD_REQUEST, &format!("malformed: {problem}")),
        };
        let mut context = super::context();
        let path = CanonicalPath::parse(error.path()).ok();
        // The pattern alone: the path may name somebody.
        let page = path.and_then(|path| self.table.find(&path).map(|(page, _)| page.clone()));
        context.route = page.as_ref().map(|page| page.route.pattern().to_owned());
        context.mode = page.as_ref().map(|page| page.route.mode().as_str());
        // The page's answer is what failed in the browser; the request that reports it is second best.
        match error.trace() {
            Some(page) => {
                context.trace_id = Some(page.trace.to_string());
                context.span_id = Some(page.span.to_string());
            }
            None => context.trace_id = traces::of(head).map(|trace| trace.id().to_string()),
        }
        inner.reporter.report(error.into_report(now), context, || None);
        taken()
    }
}

fn taken() -> Response<Body> {
    let mut response = reply::plain(StatusCode::NO_CONTENT, "");
    *response.body_mut() = Body::empty();
    response.headers_mut().remove(header::CONTENT_TYPE);
    response
}
