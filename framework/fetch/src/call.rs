//! One call over the network: bounded in time, bytes and redirects.

use crate::{
    Error, Fetched,
    client::{self, Client},
    guard::Refused,
    observe::Underway,
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode, header};
use reqwest::{Response, Url};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tropos_cache::{Purpose, Scope};

/// A request and its limits.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) timeout: Duration,
    pub(crate) max_bytes: usize,
    pub(crate) redirects: usize,
    /// Whether its origin may be reached wherever it lies.
    pub(crate) allow_private: bool,
}

/// As good as for ever: where a limit of time lies beyond what the clock can say.
const LONGEST: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Headers by which somebody is known; they go to the origin that they were written for, and to no other.
const CREDENTIALS: [header::HeaderName; 3] =
    [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION];

/// What callers of the application gave along (W3C Baggage).
const BAGGAGE: header::HeaderName = header::HeaderName::from_static("baggage");

/// Headers that describe a body, and go with it.
const OF_BODY: [header::HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
];

impl Call {
    /// Whether it says who asks.
    pub(crate) fn is_private(&self) -> bool {
        // A name or password in the URL is sent as `Authorization`.
        has_credentials(&self.url) || CREDENTIALS.iter().any(|name| self.headers.contains_key(name))
    }

    /// Whether sending it once does for twice.
    pub(crate) fn only_reads(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }

    /// The URL as messages show it.
    pub(crate) fn shown_url(&self) -> String {
        shown(&self.url)
    }

    /// Sends it, follows redirects, reads the whole answer.
    pub(crate) async fn run(self, client: Client) -> Result<Fetched, Error> {
        // The first call of all reads the machine's certificates here, which is not a part of its time.
        client.for_url(&self.url, self.allow_private)?;
        let (url, after, now) = (self.shown_url(), self.timeout, Instant::now());
        let mut underway = Underway::begin(&client, &self.method, &self.url, now);
        let deadline = now.checked_add(after).unwrap_or_else(|| now + LONGEST);
        let answer = match tokio::time::timeout_at(deadline, self.follow(&client, deadline)).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Timeout { url: url.clone(), after }),
        };
        underway.end(answer.as_ref().ok().map(|fetched| fetched.status));
        match &answer {
            Ok(fetched) => {
                tracing::debug!(url, status = fetched.status.as_u16(), bytes = fetched.body.len(), "fetched")
            }
            Err(error) => tracing::debug!(url, error = error as &dyn std::error::Error, "not fetched"),
        }
        answer
    }

    async fn follow(mut self, client: &Client, deadline: Instant) -> Result<Fetched, Error> {
        let (first, written) = (self.shown_url(), self.url.origin());
        for followed in 0.. {
            // What was said of the URL as it was written holds for its origin, and for no other that it leads to.
            let open = self.allow_private && self.url.origin() == written;
            let sender = client.for_url(&self.url, open)?;
            // Held until the answer is read; given back before a redirect is followed, so that nobody waits for a place
            // while holding one.
            let _place = client.hosts().enter(&self.url, deadline).await.map_err(|full| Error::Busy {
                url: self.shown_url(),
                limit: full.limit,
                after: self.timeout,
            })?;
            let headers = self.headers_with(client);
            let response = self.send(&sender, headers).await?;
            let next = if self.redirects > 0 { self.target(&response)? } else { None };
            match next {
                None => {
                    let answer = self.read(response).await?;
                    return Ok(if followed > 0 { answer.redirected() } else { answer });
                }
                Some(_) if followed == self.redirects => break,
                Some(next) => self.turn_to(next, response.status()),
            }
        }
        Err(Error::Redirects { url: first, limit: self.redirects })
    }

    /// The headers as they go out.
    fn headers_with(&self, client: &Client) -> HeaderMap {
        let mut headers = self.headers.clone();
        client.add_headers(&mut headers);
        // What a visitor sent must not decide over an answer that others are given: it is no part of what that is stored
        // under. What the application wrote itself is.
        if is_for_many() && !self.headers.contains_key(BAGGAGE) {
            headers.remove(BAGGAGE);
        }
        headers
    }

    async fn send(&self, client: &reqwest::Client, headers: HeaderMap) -> Result<Response, Error> {
        let mut request = client.request(self.method.clone(), self.url.clone()).headers(headers);
        if !self.body.is_empty() || !(self.method.is_safe() || self.method == Method::DELETE) {
            request = request.body(self.body.clone());
        }
        request.send().await.map_err(|error| self.broke(error))
    }

    /// Where the answer sends us on to; `None` where it is an answer to keep.
    fn target(&self, response: &Response) -> Result<Option<Url>, Error> {
        let follows = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
        let Some(location) = response.headers().get(header::LOCATION).filter(|_| follows) else {
            return Ok(None);
        };
        let joined = location.to_str().ok().and_then(|location| self.url.join(location).ok());
        match joined.filter(|url| matches!(url.scheme(), "http" | "https")) {
            Some(mut url) => {
                url.set_fragment(None);
                Ok(Some(url))
            }
            None => {
                let target = String::from_utf8_lossy(location.as_bytes()).into_owned();
                Err(Error::RedirectTarget { url: self.shown_url(), target })
            }
        }
    }

    fn turn_to(&mut self, mut next: Url, status: StatusCode) {
        // RFC 9110 §15.4.4: 303 is answered by a `GET`; §15.4.2, §15.4.3: so are 301 and 302 to a `POST`, as all do.
        let becomes_get = match status.as_u16() {
            303 => self.method != Method::HEAD,
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.body = Bytes::new();
            OF_BODY.iter().for_each(|name| _ = self.headers.remove(name));
        }
        if self.url.origin() == next.origin() {
            if !has_credentials(&next) {
                // These cannot fail: both URLs have a host.
                let _ = next.set_username(self.url.username());
                let _ = next.set_password(self.url.password());
            }
        } else {
            CREDENTIALS.iter().for_each(|name| _ = self.headers.remove(name));
            self.headers.remove(header::HOST);
        }
        self.url = next;
    }

    /// Reads the body, counting what comes out of the decompression, so that a small answer that unpacks to a huge one
    /// is refused at the limit and not after it.
    async fn read(&self, mut response: Response) -> Result<Fetched, Error> {
        let too_large = || Error::TooLarge { url: self.shown_url(), limit: self.max_bytes };
        let declared = response.content_length().filter(|_| self.method != Method::HEAD).unwrap_or(0);
        if declared > self.max_bytes as u64 {
            return Err(too_large());
        }
        // What is declared is within the limit, and a lie costs no more than a part of it.
        let mut body = BytesMut::with_capacity(usize::try_from(declared).unwrap_or(0).min(64 << 10));
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broke(error))? {
            if body.len() + chunk.len() > self.max_bytes {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        let headers = std::mem::take(response.headers_mut());
        Ok(Fetched::new(self.shown_url(), response.status(), headers, body.freeze()))
    }

    fn broke(&self, error: reqwest::Error) -> Error {
        if let Some(refused) = Refused::within(&error) {
            return client::not_public(&self.url, refused);
        }
        Error::Transport { url: self.shown_url(), source: Arc::new(error.without_url()) }
    }
}

/// Whether what is read just now is shown to many: by itself, or as a part of a page or of a cached function. The first reader of a `live`
/// page has it rendered for all who have it open.
fn is_for_many() -> bool {
    let shared = |scope: &Scope| matches!(scope.purpose(), Purpose::Stored | Purpose::Live);
    Scope::current().is_some_and(|scope| shared(&scope) && !scope.is_draft())
}

fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}
