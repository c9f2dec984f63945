//! One request, to the application and back.

use crate::dev::scripts;

use super::{Body, Proxy, headers, policy, screen, stream, text, upstream::Held};
use http::{Method, StatusCode, Uri, Version, header, request::Parts, uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request, Response,
    body::{Body as _, Incoming},
};
use hyper_util::rt::TokioIo;
use std::{net::SocketAddr, sync::Arc};

/// A request that a process broke off is asked again so often, where that is harmless.
const ATTEMPTS: usize = 3;

const BROKEN_OFF: &str =
    "The application ended the connection without an answer; the terminal may say why.\n";
const TOO_MANY: &str = "Too many requests are waiting for the application.\n";
const TOO_LONG: &str = "The application did not become ready in time; the terminal says what it is doing.\n";

/// Answers by the application, as soon as it can.
pub(super) async fn forward(proxy: &Arc<Proxy>, mut request: Request<Incoming>) -> Response<Body> {
    let navigates = headers::navigates(request.method(), request.headers());
    // A page may be asked for again. What a form sends is there once: it waits.
    let screens = navigates && matches!(*request.method(), Method::GET | Method::HEAD);
    let streams = headers::asks_for_events(request.method(), request.headers());
    let upgrade = headers::upgrades(request.headers());
    let browser = upgrade.then(|| hyper::upgrade::on(&mut request));
    let (mut parts, body) = request.into_parts();
    headers::end_to_end(&mut parts.headers, upgrade);
    // Compressing costs more than it saves on the way to a browser on the same machine, and pages are added to.
    parts.headers.remove(header::ACCEPT_ENCODING);
    if navigates {
        // The page that goes out is not the one that the application knows by its tag.
        for name in [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_RANGE, header::RANGE] {
            parts.headers.remove(name);
        }
    }
    let repeatable = matches!(parts.method, Method::GET | Method::HEAD) && body.is_end_stream() && !upgrade;
    let mut body = Some(body);
    let mut broken = None;
    for _ in 0..ATTEMPTS {
        let held = match held(proxy, screens, streams, broken).await {
            Ok(held) => held,
            Err(answer) => return answer,
        };
        let Some(outgoing) = outgoing(&parts, body.take(), &held) else { break };
        match held.application.client.request(outgoing).await {
            Ok(response) => return returned(proxy, parts, response, held, navigates, browser),
            Err(_) => broken = Some(held.application.version),
        }
        if !repeatable {
            break;
        }
    }
    match broken {
        Some(version) if screens => screen::broken_off(version, BROKEN_OFF),
        _ => text(StatusCode::BAD_GATEWAY, "text/plain", BROKEN_OFF),
    }
}

/// The process to ask, or what is answered in its place.
async fn held(
    proxy: &Proxy,
    screens: bool,
    streams: bool,
    broken: Option<u64>,
) -> Result<Held, Response<Body>> {
    // Before it is looked at whether a process answers: one that comes meanwhile is newer.
    let version = proxy.hub.version();
    // Whoever broke off may have ended without anybody having noticed yet.
    if let Some(version) = broken
        && proxy.upstream.current().is_some_and(|current| current.version == version)
        && let Some(held) = proxy.upstream.wait(Some(version), proxy.noticed).await
    {
        return Ok(held);
    }
    if let Some(held) = proxy.upstream.acquire() {
        return Ok(held);
    }
    if screens {
        return Err(screen::waiting(version));
    }
    // A browser that opens a stream again and is refused does not try a second time (HTML §9.2.3).
    let patience = if streams { stream::NEXT_PROCESS } else { proxy.patience };
    let Ok(_waiting) = proxy.waiting.try_acquire() else { return Err(screen::nothing(TOO_MANY)) };
    proxy.upstream.wait(None, patience).await.ok_or_else(|| screen::nothing(TOO_LONG))
}

fn outgoing(parts: &Parts, body: Option<Incoming>, held: &Held) -> Option<Request<Body>> {
    let body = match body {
        Some(body) => body.map_err(Into::into).boxed_unsync(),
        None => Empty::new().map_err(|never| match never {}).boxed_unsync(),
    };
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = target(held.application.public, &parts.uri)?;
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = parts.headers.clone();
    Some(request)
}

/// The same path and query at a process. `Host` stays what the browser wrote.
pub(super) fn target(at: SocketAddr, uri: &Uri) -> Option<Uri> {
    let path = uri.path_and_query().cloned().unwrap_or_else(|| uri::PathAndQuery::from_static("/"));
    let authority = at.to_string();
    Uri::builder().scheme("http").authority(authority).path_and_query(path).build().ok()
}

fn returned(
    proxy: &Arc<Proxy>,
    asked: Parts,
    mut response: Response<Incoming>,
    held: Held,
    navigates: bool,
    browser: Option<hyper::upgrade::OnUpgrade>,
) -> Response<Body> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        if let Some(browser) = browser {
            let application = hyper::upgrade::on(&mut response);
            tokio::spawn(async move {
                let (Ok(browser), Ok(application)) = (browser.await, application.await) else { return };
                let (mut browser, mut application) = (TokioIo::new(browser), TokioIo::new(application));
                let _ = tokio::io::copy_bidirectional(&mut browser, &mut application).await;
            });
        }
        let (mut parts, _) = response.into_parts();
        headers::end_to_end(&mut parts.headers, true);
        return Response::from_parts(parts, Empty::new().map_err(|never| match never {}).boxed_unsync());
    }
    let (mut parts, body) = response.into_parts();
    headers::end_to_end(&mut parts.headers, false);
    parts.version = Version::HTTP_11;
    let streams = asked.method == Method::GET
        && parts.status == StatusCode::OK
        && headers::is(&parts.headers, "text/event-stream");
    if streams {
        let body = stream::resumed(proxy.clone(), asked, body, held.application.version);
        return Response::from_parts(parts, body);
    }
    let is_page = navigates
        && headers::is(&parts.headers, "text/html")
        && !parts.headers.contains_key(header::CONTENT_ENCODING)
        && !parts.status.is_redirection();
    if !is_page {
        return Response::from_parts(parts, stream::kept(body, None, held.token));
    }
    proxy.paged.send_if_modified(|paged| !std::mem::replace(paged, true));
    // The page grows, and is another than the one of this tag: a browser must not show what an older process made.
    for name in [header::CONTENT_LENGTH, header::ETAG, header::LAST_MODIFIED, header::ACCEPT_RANGES] {
        parts.headers.remove(name);
    }
    let nonce = headers::nonce(&parts.headers);
    policy::relax(&mut parts.headers);
    let tag =
        (asked.method != Method::HEAD).then(|| scripts::tags(held.application.version, nonce.as_deref()));
    Response::from_parts(parts, stream::kept(body, tag, held.token))
}

#[cfg(test)]
mod tests {
    use super::{super::Application, *};
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn without_a_process_a_page_is_a_screen_a_request_waits_and_a_stream_waits_longer() {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        for (screens, streams, comes_after, expected) in [
            (true, false, 1, None),
            (false, false, 50, Some(1)),
            (false, false, 300, None),
            (false, true, 300, Some(1)),
        ] {
            let proxy = Arc::new(Proxy::new(Vec::new(), Vec::new(), false));
            let asked = proxy.clone();
            let asked = tokio::spawn(async move { held(&asked, screens, streams, None).await });
            tokio::time::sleep(Duration::from_secs(comes_after)).await;
            proxy.upstream.switch(Some(Application::new(1, nowhere, nowhere)));
            let version = asked.await.unwrap().ok().map(|held| held.application.version);
            assert_eq!(version, expected, "{screens} {streams} {comes_after}");
        }
    }
}
