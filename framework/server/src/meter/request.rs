//! One request, from its head to the end of its body.

use super::{CANCELLED, Meter};
use http::{Request, Response, StatusCode, Version};
use std::sync::Arc;
use tokio::time::Instant;
use tropos_telemetry::{
    metrics::UpDown,
    names::{
        method_name,
        metrics::{self as names, OTHER},
    },
    trace::Ended,
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
    end: End,
}

/// What became of the answer's body.
#[derive(Debug, Clone, Copy)]
enum End {
    /// Nothing yet. If that stays so, its reader has left.
    None,
    Whole,
    Failed,
}

impl Meter {
    /// A request has come.
    pub(crate) fn begin<B>(self: &Arc<Self>, request: &Request<B>) -> Underway {
        let method = method_name(request.method()).unwrap_or(OTHER);
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
            version: protocol_version(request.version()),
            active,
            told: Told { route: "", mode: "none" },
            status: None,
            end: End::None,
        }
    }
}

impl Underway {
    /// There is an answer; it is counted when the last of it has gone out.
    pub(crate) fn answered<B>(&mut self, response: &mut Response<B>) {
        self.status = Some(response.status());
        if let Some(told) = response.extensions_mut().remove::<Told>() {
            self.told = told;
        }
    }

    /// The body has ended. The first time counts.
    pub(crate) fn ended(&mut self, ended: &Ended) {
        self.end = match (self.end, ended) {
            (End::None, Ended::Whole) => End::Whole,
            (End::None, Ended::Failed(_)) => End::Failed,
            (known, _) => known,
        };
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.active.down();
        let failed = self.status.is_some_and(|status| status.is_server_error());
        let status = self.status.as_ref().map_or("", |status| status.as_str());
        let error = match (failed, self.end) {
            (true, _) => status,
            (false, End::Failed) => OTHER,
            (false, End::Whole) => "",
            (false, End::None) => CANCELLED,
        };
        let (Told { route, mode }, Meter { registry, scheme, .. }) = (self.told, &*self.meter);
        let labels = [self.method, route, status, scheme, self.version, error, mode];
        registry.histogram(&names::HTTP_SERVER_REQUEST_DURATION, &labels).record(self.began.elapsed());
    }
}

/// A version of HTTP, as the conventions write it.
pub(crate) fn protocol_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dispatch::Ending, routing::Table};
    use axum::body::Body;
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
            let (mut underway, mut response) = (meter.begin(&ask(method)), answer(status, body));
            underway.answered(&mut response);
            let response = response.map(|body| Ending::body(body, underway, None));
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
}
