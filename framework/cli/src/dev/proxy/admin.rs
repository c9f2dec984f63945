//! The application's admin listener, at an address that stays: each process has one of its own.

use super::{Body, BoxError, Proxy, guard, text};
use http::{HeaderName, Method, StatusCode, Uri, header};
use http_body_util::BodyExt as _;
use hyper::{Request, Response, body::Incoming};

const PLAIN: &str = "text/plain; charset=utf-8";

/// Answers at the configured admin address, where `advise`, `explain` and a scraper of metrics ask.
///
/// Pages of other sites are refused, since the listener answers what a program of this machine may know and do. They may lead
/// to the dashboard, as those of the application do.
pub(super) async fn answer(proxy: &Proxy, request: Request<Incoming>) -> Response<Body> {
    let may_ask = if is_visit(&request) { guard::is_for_this } else { guard::is_own };
    if !may_ask(request.headers(), &proxy.allowed_hosts) {
        return text(StatusCode::FORBIDDEN, PLAIN, "Only programs of this machine may ask for this.\n");
    }
    // Records, the dashboard and invalidation are for who develops, also where this listener is open to a scraper elsewhere.
    let path = request.uri().path();
    if (path.starts_with("/dev") || path.starts_with("/dashboard")) && !super::is_near(&request) {
        return text(StatusCode::FORBIDDEN, PLAIN, "Only this machine may ask for this.\n");
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    hand_on(proxy, &path, request).await
}

/// Whether a page of the dashboard is gone to, from wherever. The application's own origin is another one here, and often another
/// site: `localhost` beside `127.0.0.1`. What is gone to changes nothing, and the page that led there cannot read it: the dashboard
/// refuses frames, and what says that it is for anything but a window of its own is no visit (Fetch Metadata, §2.1).
fn is_visit(request: &Request<Incoming>) -> bool {
    let path = request.uri().path();
    let is_page = (path == "/dashboard" || path.starts_with("/dashboard/")) && path != "/dashboard/stream";
    let whereto = request.headers().get(HeaderName::from_static("sec-fetch-dest"));
    request.method() == Method::GET && is_page && whereto.is_none_or(|whereto| whereto == "document")
}

/// Leads a page of the application to the dashboard, which is at the admin listener's own address: `dashboard/trace/ID` to
/// `/dashboard/trace/ID` there.
pub(super) fn to_dashboard(proxy: &Proxy, path: &str) -> Response<Body> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'/';
    let Some(mut addr) = proxy.admin.get().copied().filter(|_| path.bytes().all(is_plain)) else {
        return text(StatusCode::NOT_FOUND, PLAIN, "There is no admin listener, or no such page.\n");
    };
    if addr.ip().is_unspecified() {
        addr.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let mut response = text(StatusCode::TEMPORARY_REDIRECT, PLAIN, "");
    if let Ok(location) = format!("http://{addr}/{path}").parse() {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Asks the admin listener of the process that answers now for `path`, which may have a query.
pub(super) async fn hand_on(proxy: &Proxy, path: &str, request: Request<Incoming>) -> Response<Body> {
    let Some(held) = proxy.upstream.acquire() else {
        return super::screen::nothing("The application does not run.\n");
    };
    let (mut parts, body) = request.into_parts();
    let Ok(uri) = format!("http://{}{path}", held.application.admin).parse::<Uri>() else {
        return text(StatusCode::BAD_REQUEST, PLAIN, "The address cannot be read.\n");
    };
    super::headers::end_to_end(&mut parts.headers, false);
    // The admin listener has no other name, and the page's was looked at.
    for name in [header::HOST, header::ORIGIN, header::REFERER, header::ACCEPT_ENCODING, header::COOKIE] {
        parts.headers.remove(name);
    }
    parts.uri = uri;
    let body = body.map_err(BoxError::from).boxed_unsync();
    match held.application.client.request(Request::from_parts(parts, body)).await {
        Ok(response) => {
            let (mut parts, body) = response.into_parts();
            super::headers::end_to_end(&mut parts.headers, false);
            // Its token is not kept: a stream of the admin listener must not keep the process alive.
            Response::from_parts(parts, body.map_err(Into::into).boxed_unsync())
        }
        Err(_) => text(StatusCode::BAD_GATEWAY, PLAIN, "The application's admin listener does not answer.\n"),
    }
}
