//! One request, from its head to the end of its body.

use super::Meter;
use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::time::Instant;
use tropos_telemetry::{
    metrics::UpDown,
    names::metrics::{self as names, OTHER},
};

/// What answered a request: an extension of the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    /// The route's pattern.
    pub(crate) route: &'static str,
    /// The page's mode, or what else answered.
    pub(crate) mode: &'static str,
}

/// A request under way. It is counted when this is dropped, however it ends.
#[derive(Debug)]
pub(crate) struct Underway {
    meter: Arc<Meter>,
    began: Instant,
    method: &'static str,
    version: &'static str,
    active: UpDown,
    told: Told,
    status: Option<StatusCode>,
    /// Whether the answer went out to its end.
    whole: bool,
    /// Whether the body failed.
    failed: bool,
}

impl Meter {
    /// A request has come.
    pub(crate) fn begin<B>(self: &Arc<Self>, request: &Request<B>) -> Underway {
        let method = known(request.method());
        let active = self.active.iter().find(|(known, _)| known == request.method());
        let active = active.map_or_else(
            || self.registry.up_down(&names::HTTP_SERVER_ACTIVE_REQUESTS, &[method, self.scheme]),
            |(_, active)| active.clone(),
        );
        active.up();
        Underway {
            meter: self.clone(),
            began: Instant::now(),
            method,
            version: match request.version() {
                Version::HTTP_10 => "1.0",
                Version::HTTP_2 => "2",
                _ => "1.1",
            },
            active,
            told: Told { route: "", mode: "none" },
            status: None,
            whole: false,
            failed: false,
        }
    }
}

impl Underway {
    /// There is an answer, which is counted when the last of it has gone out.
    pub(crate) fn answered(mut self, mut response: Response<Body>) -> Response<Body> {
        self.status = Some(response.status());
        if let Some(told) = response.extensions_mut().remove::<Told>() {
            self.told = told;
        }
        response.map(|body| Body::new(Measured { body, underway: self }))
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.active.down();
        let failed = self.status.is_some_and(|status| status.is_server_error());
        let status = self.status.as_ref().map_or("", |status| status.as_str());
        let error = match (failed, self.failed, self.whole) {
            (true, ..) => status,
            (false, true, _) => OTHER,
            (false, false, true) => "",
            (false, false, false) => "cancelled",
        };
        let (Told { route, mode }, Meter { registry, scheme, .. }) = (self.told, &*self.meter);
        let labels = [self.method, route, status, scheme, self.version, error, mode];
        registry.histogram(&names::HTTP_SERVER_REQUEST_DURATION, &labels).record(self.began.elapsed());
    }
}

/// A method by its name; what HTTP does not know is one, so that nobody makes series by inventing some.
fn known(method: &Method) -> &'static str {
    const KNOWN: [(Method, &str); 8] = [
        (Method::GET, "GET"),
        (Method::HEAD, "HEAD"),
        (Method::POST, "POST"),
        (Method::PUT, "PUT"),
        (Method::PATCH, "PATCH"),
        (Method::DELETE, "DELETE"),
        (Method::OPTIONS, "OPTIONS"),
        (Method::TRACE, "TRACE"),
    ];
    KNOWN.iter().find(|(known, _)| known == method).map_or(OTHER, |(_, name)| name)
}

/// A body that tells its end.
struct Measured {
    body: Body,
    underway: Underway,
}

impl http_body::Body for Measured {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.underway.whole = true,
            Some(Err(_)) => self.underway.failed = true,
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        // Where the length is known, nobody asks for the end.
        if http_body::Body::is_end_stream(&self.body) {
            self.underway.whole = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::Table;
    use http_body_util::BodyExt as _;
    use tropos_telemetry::metrics::text;

    fn lines(meter: &Meter) -> Vec<String> {
        let text = text(&meter.registry().snapshot(), &[]);
        let of = |line: &&str| {
            line.starts_with("http_server_request_duration_seconds_count") && !line.ends_with(" 0")
        };
        text.lines().filter(of).map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn a_request_is_counted_once_with_what_became_of_it() {
        let ask = |method: &str| Request::builder().method(method).body(()).unwrap();
        let answer = |status: u16, body: Body| {
            let mut response = Response::builder().status(status).body(body).unwrap();
            response.extensions_mut().insert(Told { route: "/a/:b", mode: "server" });
            response
        };
        let stream = || Body::from_stream(futures::stream::iter(["a", "b"].map(Ok::<_, std::io::Error>)));
        let broken = Body::from_stream(futures::stream::iter([Err::<&str, _>(std::io::Error::other("x"))]));
        for (name, method, status, body, read, error) in [
            ("whole", "GET", 200, stream(), true, ""),
            (
                "of known length, dropped unread",
                "GET",
                200,
                Body::from("a"),
                false,
                "error_type=\"cancelled\",",
            ),
            ("without a body", "HEAD", 304, Body::empty(), false, ""),
            ("cut", "GET", 200, stream(), false, "error_type=\"cancelled\","),
            ("failed", "POST", 503, Body::from("a"), true, "error_type=\"503\","),
            ("broken", "GET", 200, broken, true, "error_type=\"_OTHER\","),
        ] {
            let meter = Meter::new(&Table::new(Vec::new()).unwrap(), true);
            let response = meter.begin(&ask(method)).answered(answer(status, body));
            assert!(lines(&meter).is_empty(), "{name}: counted at its end");
            if read {
                drop(response.into_body().collect().await);
            } else {
                drop(response);
            }
            let expected = format!(
                "http_server_request_duration_seconds_count{{http_request_method=\"{method}\",http_route=\"/a/:b\",\
                 http_response_status_code=\"{status}\",url_scheme=\"https\",network_protocol_version=\"1.1\",{error}tropos_mode=\"server\"}} 1"
            );
            assert_eq!(lines(&meter), [expected], "{name}");
        }
    }

    #[test]
    fn methods_that_nobody_knows_are_one() {
        assert_eq!(known(&Method::PATCH), "PATCH");
        assert_eq!(known(&"BREW".parse().unwrap()), OTHER);
    }
}
