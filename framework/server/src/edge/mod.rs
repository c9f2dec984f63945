//! Hooks in front of the server: each request goes through them before files, cache and pages.
//!
//! | module | holds |
//! |---|---|
//! | `client` | who asks: the peer's address, or what a trusted proxy says |
//! | `native` | what the server offers to hooks: its clock, chance, counts |
//! | `now` | hooks where the request was read, for what is a hit |
//! | `policy` | the content security policy, completed by what stands inline in the answer |
//! | `stated` | what an adapter at the edge has decided in their place |
//! | `table` | redirects from a file |
//!
//! What runs without a visitor's request (a page made again in the background, a build) does not pass here.

mod client;
mod native;
mod now;
pub(crate) mod policy;
mod stated;
mod table;

pub(crate) use client::Peer;
pub use client::Trusted;
pub(crate) use client::address as client_address;
pub(crate) use native::{Lookup, Native};
pub(crate) use now::{Ran, Read, is_of_connection, target_of, touches_connection, touches_request};
use policy::Inlines;
pub(crate) use stated::{acknowledge, requires_statement, tell};
pub(crate) use table::{Table as RedirectTable, behind_worker as table_behind_worker};

use crate::{
    dispatch::{guard, with_path},
    request::cookie_pairs,
    routing::Table,
    site::Site,
};
use axum::body::Body;
use bytes::Bytes;
use cookie::Cookie;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request::Parts};
use std::{borrow::Cow, sync::Arc};
use tropos_cache::http::lifetime::make_private;
use tropos_core::{CanonicalPath, Failure};
use tropos_edge::{
    EdgeRequest, Variants,
    edits::ContextValue,
    event::{Event, Exposure},
    ready::security::Csp,
    request::{Headers, Route, page_of_stream},
    run::{self, Additions, Answer, Outcome, Passed, Router},
};

/// What hooks decided for a page.
#[derive(Debug, Default)]
pub(crate) struct Decided {
    pub(crate) variants: Variants,
    context: Vec<(Cow<'static, str>, String)>,
}

impl Decided {
    /// The value of this type that a hook left.
    pub(crate) fn context<T: ContextValue>(&self) -> Result<Option<T>, Failure> {
        let json = self.context.iter().find(|(name, _)| *name == T::NAME).map(|(_, json)| json);
        Ok(json.map(|json| serde_json::from_str(json)).transpose()?)
    }
}

/// What hooks decided for this request; `None` where none ran.
pub(crate) fn decided(request: &Parts) -> Option<&Arc<Decided>> {
    request.extensions.get()
}

/// The variants that hooks chose for this request.
pub(crate) fn variants(request: &Parts) -> &Variants {
    static NONE: Variants = Variants::none();
    decided(request).map_or(&NONE, |decided| &decided.variants)
}

/// The address of who asks, as far as the configuration trusts who says it.
pub(crate) fn client_of(request: &Parts, config: &crate::Config) -> Option<std::net::IpAddr> {
    let peer = request.extensions.get::<Peer>().copied();
    client::of(peer, &Headers::of(&request.headers), &config.trusted_proxies).address
}

/// Whether a request goes on.
pub(crate) enum Gate {
    /// As this path; with what is to be done to its answer, where hooks ran.
    Open { path: CanonicalPath, passed: Option<Done> },
    /// A hook answered.
    Answered(Response<Body>),
}

/// What hooks have left to be done to the answer.
pub(crate) struct Done {
    response: Additions,
    personal: bool,
    csp: Option<Arc<Csp>>,
}

/// Whether one visitor alone may have what hooks let through.
fn is_private(additions: &Additions, personal: bool) -> bool {
    personal || !additions.cookies.is_empty()
}

impl Site {
    /// Sends a request through the hooks, or does what the edge has `stated` that they decided there; what they changed is then
    /// in its head.
    pub(crate) async fn through_hooks(
        &self,
        head: &mut Parts,
        path: CanonicalPath,
        stated: Option<Passed>,
    ) -> Gate {
        let own = path.as_str().strip_prefix("/_tropos/");
        // Machines call it, with a token of their own.
        if (self.hooks.is_empty() && stated.is_none()) || own == Some("revalidate") {
            return Gate::Open { path, passed: None };
        }
        // The stream of a live page is a part of that page: who may not see the one may not see the other.
        let followed = page_of_stream(path.as_str(), head.uri.query().unwrap_or_default());
        let streams = followed.is_some();
        if let Some(stated) = stated {
            let (path, Done { csp, .. }) = pass(stated, head, path, streams);
            // The edge adds to the answer what the visitor is to be sent, but for a policy, which takes what the page has inline.
            let done = Done { response: Additions::default(), personal: false, csp };
            return Gate::Open { path, passed: Some(done) };
        }
        let ran = head.extensions.remove::<Ran>().and_then(|ran| ran.take());
        let outcome = if let Some(outcome) = ran {
            outcome
        } else {
            let (asked, query) = match &followed {
                Some((path, page)) => (path, page.query().unwrap_or_default()),
                None => (&path, head.uri.query().unwrap_or_default()),
            };
            let host = guard::host_of(head).unwrap_or_default();
            let peer = head.extensions.get::<Peer>().copied();
            let headers = Headers::of(&head.headers);
            let client = client::of(peer, &headers, &self.config.trusted_proxies);
            let request =
                EdgeRequest::new(&head.method, host, self.is_secure(), asked, query, headers, client);
            run::run(&self.hooks, request, &self.table, &self.platform).await
        };
        match outcome {
            Outcome::Answer(answer) => Gate::Answered(self.answer_of(answer).map(Body::from)),
            Outcome::Pass(passed) => {
                let (path, done) = pass(passed, head, path, streams);
                Gate::Open { path, passed: Some(done) }
            }
        }
    }

    pub(crate) fn answer_of(&self, answer: Answer) -> Response<Bytes> {
        let Answer { reply, response: additions, error, hook, events } = answer;
        events.iter().for_each(told);
        if let Some(error) = error {
            tracing::error!(hook, %error, "a hook failed, and with it the request");
            // A panic is reported where it happens.
            if !matches!(error, tropos_edge::Error::Panicked(_)) {
                self.errors.hook_failed(&hook, &error.to_string());
            }
        }
        let status = reply.status();
        // RFC 9110 §6.4.1: these have none. One that is sent all the same is read as the connection's next answer.
        let has_body = !(status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED));
        let body = if has_body { reply.body().clone() } else { Bytes::new() };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        for (name, value) in reply.headers() {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        additions.apply(response.headers_mut(), self.is_secure());
        if !additions.cookies.is_empty() {
            make_private(response.headers_mut());
        }
        response
    }

    /// Does to an answer what the hooks left to be done.
    pub(crate) fn finish(&self, done: &Done, response: &mut Response<Body>) {
        let inlines = response.extensions_mut().remove::<Inlines>();
        self.finish_headers(&done.response, done.personal, response.headers_mut());
        if let Some(csp) = &done.csp {
            self.policies.set(csp, inlines.as_ref(), response.headers_mut());
        }
    }

    fn finish_headers(&self, additions: &Additions, personal: bool, headers: &mut HeaderMap) {
        additions.apply(headers, self.is_secure());
        // Whatever a hook has said of caches: one that does not know the visitor cannot speak for one that does.
        if is_private(additions, personal) {
            make_private(headers);
        }
    }
}

/// What hooks tell goes to the log.
pub(crate) fn told(event: &Event) {
    match event {
        Event::Exposure(Exposure { experiment, variant, first }) => {
            let experiment = &**experiment;
            tracing::debug!(target: "tropos::hook", experiment, variant, first, "a visitor is shown a variant");
        }
        Event::Problem { hook, problem } => {
            tracing::warn!(target: "tropos::hook", hook, problem, "a hook has a problem")
        }
        _ => {}
    }
}

/// Does to a request what was decided; gives the path that it goes on as, and what is to be done to the answer.
fn pass(passed: Passed, head: &mut Parts, path: CanonicalPath, streams: bool) -> (CanonicalPath, Done) {
    let Passed { path: rewritten, query, request, response, variants, context, personal, events, csp } =
        passed;
    events.iter().for_each(told);
    request.iter().for_each(|edit| edit.apply(&mut head.headers));
    set_cookies(&mut head.headers, &response.cookies);
    // The stream's own address stays what it is.
    let path = rewritten.filter(|_| !streams).unwrap_or(path);
    if !streams && let Some(uri) = with_path(&head.uri, &path, query.as_deref()) {
        head.uri = uri;
    }
    head.extensions.insert(Arc::new(Decided { variants, context }));
    (path, Done { response, personal, csp })
}

/// Has the page read the cookies that hooks set, in place of those that were sent.
fn set_cookies(headers: &mut HeaderMap, cookies: &[Cookie<'static>]) {
    if cookies.is_empty() {
        return;
    }
    let is_set = |name: &str| cookies.iter().any(|cookie| cookie.name() == name);
    let sent = cookie_pairs(headers)
        .filter(|(name, _)| !is_set(name))
        .map(|(name, value)| format!("{name}={value}"));
    let set = cookies
        .iter()
        .filter(|cookie| !tropos_edge::edits::is_removal(cookie))
        .map(|cookie| cookie.stripped().encoded().to_string());
    let line = sent.chain(set).collect::<Vec<_>>().join("; ");
    headers.remove(header::COOKIE);
    if let (false, Ok(line)) = (line.is_empty(), HeaderValue::from_str(&line)) {
        headers.insert(header::COOKIE, line);
    }
}

impl Router for Table {
    fn route(&self, path: &CanonicalPath) -> Option<Route<'_>> {
        let (page, _) = self.find(path)?;
        Some(Route { pattern: page.route.pattern(), mode: page.route.mode() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_the_cookies_that_hooks_set() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; b=2"));
        headers.append(header::COOKIE, HeaderValue::from_static("c=3"));
        let mut gone = Cookie::new("c", "");
        gone.make_removal();
        set_cookies(&mut headers, &[Cookie::build(("b", "new")).path("/").build(), gone]);
        assert_eq!(headers.get_all(header::COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=new"]);
    }
}
