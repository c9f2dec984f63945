//! The trace of each request: where it begins and ends, and what its answer says of it.
//!
//! | module | holds |
//! |---|---|
//! | `spans` | the spans that the server makes below a request's |
//! | `timing` | `Server-Timing` |
//! | `session` | the stream of a live page |

mod session;
pub(crate) mod spans;
mod timing;

pub(crate) use session::Session;

use crate::{
    config::Config,
    dispatch::guard,
    edge::{self, Peer},
    meter::{FILES, Told, protocol_version},
    site::Site,
};
use axum::body::Body;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body::Body as _;
use tracing::Span;
use tropos_cache::http::{CACHE_STATUS, CacheStatus};
use tropos_core::manifest::ASSETS_PATH;
use tropos_edge::request::Headers;
use tropos_telemetry::trace::{Attribute, Ended, Guard, Hit, RequestTrace, current};

/// How who asked learns its trace (W3C Trace Context, Level 2, §4: the response header).
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// How the browser learns what an answer took (Server Timing §3).
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// When everything that ran has had its time, what waits to be sent has at most so long: less than the five seconds that are left of
/// the thirty which orchestrators give by default.
pub(crate) const FLUSH: std::time::Duration = std::time::Duration::from_millis(4_500);

/// The route of the stream of a live page.
pub(crate) const LIVE_ROUTE: &str = "/_tropos/live/:ticket";

/// What answered on the quick path.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    /// A stored page or a file.
    Page(CacheStatus),
    /// A hook, before any page was looked at.
    Hook,
}

/// On an answer whose trace ends with its head: its body lasts as long as its reader likes.
#[derive(Clone, Copy)]
pub(crate) struct EndsWithHead;

/// The trace of this request, where one was begun.
pub(crate) fn of(head: &Parts) -> Option<&RequestTrace> {
    head.extensions.get()
}

/// The trace within which this runs, as error pages and records show it.
pub(crate) fn id() -> Option<String> {
    current().map(|current| current.trace().to_string())
}

/// As what a hit was asked for.
#[derive(Clone, Copy)]
pub(crate) struct AskedHit<'a> {
    pub(crate) method: &'a Method,
    pub(crate) target: &'a str,
    pub(crate) host: Option<&'a str>,
    /// Of HTTP.
    pub(crate) version: &'static str,
}

/// A request under way.
pub(crate) struct Traced {
    guard: Guard,
    method: Method,
}

impl Site {
    /// The trace of a request begins. It is found in the head from then on.
    pub(crate) fn begin_trace(&self, head: &mut Parts) -> (Traced, Span) {
        let guard = self.tracer.begin(&head.method, &head.headers);
        let trace = guard.trace();
        trace.set_all(|| self.attributes(head));
        let span = trace.enter(spans::request);
        head.extensions.insert(trace.clone());
        (Traced { guard, method: head.method.clone() }, span)
    }

    /// A hit is about to be answered. Where it is told of, its time is taken; else this costs a look at one number, and at the lines of
    /// `traceparent` where anything is recorded. `lines` are those of the header of a name.
    pub(crate) fn hit_begins<'l, L>(&self, lines: impl Fn(&'static str) -> L) -> Option<Hit>
    where
        L: Iterator<Item = &'l [u8]>,
    {
        self.tracer.hit(lines)
    }

    /// It is answered: the one span of its trace is made here, outside of all of `tracing`.
    pub(crate) fn hit_ends(&self, hit: Option<Hit>, asked: AskedHit<'_>, status: StatusCode, by: By) {
        let Some(hit) = hit else { return };
        let AskedHit { method, target, host, version } = asked;
        let path = target.split('?').next().unwrap_or_default();
        let is_file = path.strip_prefix(ASSETS_PATH).is_some_and(|file| file.starts_with('/'));
        let (known, file) = match by {
            By::Page(_) => (self.route_of_known(target), is_file.then_some(FILES)),
            // As everywhere: what a hook answers is no page's, and no file's.
            By::Hook => (None, None),
        };
        let mut attributes: Vec<Attribute> = vec![
            ("url.scheme", if self.is_secure() { "https" } else { "http" }.into()),
            ("url.path", path.to_owned().into()),
            ("network.protocol.version", version.into()),
            match by {
                By::Page(cache_status) => ("tropos.cache.status", cache_status.to_string().into()),
                By::Hook => ("tropos.hooks.outcome", "answered".into()),
            },
        ];
        attributes.extend(host.into_iter().flat_map(of_host));
        attributes.extend(known.as_ref().map(|(_, mode)| ("tropos.mode", mode.as_str().into())));
        let route = known.as_ref().map(|(route, _)| route.as_str()).or(file);
        hit.finish(&self.tracer, method, route, status.as_u16(), attributes);
    }

    fn attributes(&self, head: &Parts) -> Vec<Attribute> {
        let scheme = if self.is_secure() { "https" } else { "http" };
        let mut attributes: Vec<Attribute> =
            vec![("url.scheme", scheme.into()), ("url.path", without_ticket(head.uri.path()).into())];
        attributes.extend(guard::host_of(head).into_iter().flat_map(of_host));
        attributes.push(("network.protocol.version", protocol_version(head.version).into()));
        if self.config.trace_client_address {
            let peer = head.extensions.get::<Peer>().copied();
            let client =
                edge::client_address(peer, &Headers::of(&head.headers), &self.config.trusted_proxies);
            attributes.extend(client.map(|client| ("client.address", client.to_string().into())));
        }
        attributes
    }

    /// What is said of the answer. Where its trace goes on with its body, that is left to the end of this guard.
    pub(crate) fn end_trace(&self, traced: Traced, response: &mut Response<Body>) -> Option<Guard> {
        let Traced { guard, method } = traced;
        let trace = guard.trace().clone();
        // As series name it, for what has not named itself before.
        let told = response.extensions().get::<Told>().filter(|told| !told.route.is_empty());
        told.iter().for_each(|told| trace.set_route(told.route));
        let cache_status = response.headers().get(CACHE_STATUS).and_then(|status| status.to_str().ok());
        trace.answered(response.status().as_u16(), cache_status);
        self.tell_of_trace(&trace, response);
        let is_there = response.body().size_hint().exact().is_some();
        let ends_now =
            is_there || method == Method::HEAD || response.extensions().get::<EndsWithHead>().is_some();
        if ends_now {
            trace.finish(Ended::Whole);
            return None;
        }
        Some(guard)
    }

    fn tell_of_trace(&self, trace: &RequestTrace, response: &mut Response<Body>) {
        if !self.config.tells_of_traces() {
            return;
        }
        let headers = response.headers_mut();
        let context = trace.context().to_string();
        // In development each page says what it took beside the number of its record.
        let took = (self.config.server_timing && !headers.contains_key(SERVER_TIMING)).then(|| {
            let cached = headers.get(CACHE_STATUS).and_then(|status| status.to_str().ok());
            timing::text(trace.lasted(), &trace.sums(), cached)
        });
        // Scripts can read no other header of the page they are on.
        let timing = [Some(format!("traceparent;desc=\"{context}\"")), took];
        let timing = timing.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let own = self.config.traceresponse.then_some((TRACERESPONSE, context));
        for (name, text) in own.into_iter().chain([(SERVER_TIMING, timing)]) {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.append(name, value);
            }
        }
    }
}

impl Config {
    /// What telemetry does, as far as the rest of the configuration decides it.
    pub(crate) fn telemetry(&self) -> tropos_telemetry::Config {
        let mut telemetry = self.telemetry.clone();
        telemetry.ring |= self.has_dashboard();
        telemetry.timing |= self.server_timing;
        telemetry.reports |= self.sentry.sends();
        telemetry
    }

    /// Whether answers say something of their trace, so that each must have one.
    pub(crate) fn tells_of_traces(&self) -> bool {
        self.traceresponse || self.server_timing
    }
}

/// What is said of the host that was asked.
fn of_host(host: &str) -> impl Iterator<Item = Attribute> {
    let (name, port) = name_and_port(host);
    let port = port.map(|port| ("server.port", i64::from(port).into()));
    std::iter::once(("server.address", name.to_owned().into())).chain(port)
}

/// A path without the ticket of a live page, which is its reader's own.
fn without_ticket(path: &str) -> String {
    const LIVE: &str = "/_tropos/live/";
    if path.starts_with(LIVE) { format!("{LIVE}…") } else { path.to_owned() }
}

/// A host and its port.
fn name_and_port(host: &str) -> (&str, Option<u16>) {
    let split = host.rsplit_once(':').and_then(|(name, port)| Some((name, port.parse().ok()?)));
    match split {
        // An address of IPv6 without a port has colons too.
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    }
}

/// The page for what failed, with the trace by which it is found: in place of `{trace_id}` where the application's own page has that,
/// else before the end of the body.
pub(crate) fn with_trace_id(html: &[u8], trace: &str) -> Vec<u8> {
    const MARK: &[u8] = b"{trace_id}";
    // Hexadecimal digits: nothing of them means something in HTML.
    let (at, skipped, text) = match memchr::memmem::find(html, MARK) {
        Some(at) => (at, MARK.len(), trace.to_owned()),
        None => {
            let at = memchr::memmem::rfind(html, b"</body>").unwrap_or(html.len());
            (at, 0, format!("<p data-tropos-trace>Trace <code>{trace}</code></p>"))
        }
    };
    let (before, rest) = html.split_at(at);
    [before, text.as_bytes(), rest.get(skipped..).unwrap_or_default()].concat()
}

/// The length may have been said already.
pub(crate) fn replace_body(response: &mut Response<Body>, body: Vec<u8>) {
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_a_name_and_perhaps_a_port() {
        for (host, name, port) in [
            ("shop.example", "shop.example", None),
            ("shop.example:8080", "shop.example", Some(8080)),
            ("[::1]:3000", "[::1]", Some(3000)),
            ("[::1]", "[::1]", None),
            ("a:b", "a:b", None),
        ] {
            assert_eq!(name_and_port(host), (name, port), "{host}");
        }
    }

    #[test]
    fn a_ticket_is_not_told() {
        assert_eq!(without_ticket("/_tropos/live/0123456789abcdef"), "/_tropos/live/…");
        assert_eq!(without_ticket("/live/a"), "/live/a");
    }

    #[test]
    fn the_trace_stands_where_the_page_wants_it_or_at_its_end() {
        let with = |html: &str| String::from_utf8(with_trace_id(html.as_bytes(), "abc")).unwrap();
        assert_eq!(with("<p>{trace_id}</p></body>"), "<p>abc</p></body>");
        assert_eq!(
            with("<h1>x</h1></body>"),
            "<h1>x</h1><p data-tropos-trace>Trace <code>abc</code></p></body>"
        );
        assert_eq!(with("x"), "x<p data-tropos-trace>Trace <code>abc</code></p>");
    }
}
