//! A rendered page as it is stored: every encoding ready to be sent.

mod compress;
mod format;
mod inlined;
mod ready;

pub use inlined::Inlined;
pub use ready::ReadyHead;

use crate::{
    entry::Value,
    http::{Coding, Codings, Lifetime, is_kept},
};
use ::http::{HeaderName, HeaderValue, StatusCode, header};
use bytes::Bytes;
use std::sync::{Arc, OnceLock};
use xxhash_rust::xxh3::Xxh3;

/// One stored answer: status, headers, and the body in each encoding that is worth having.
///
/// ```
/// use bytes::Bytes;
/// use http::{HeaderValue, StatusCode, header};
/// use tropos_cache::{http::Coding, page::StoredPage};
/// let html = HeaderValue::from_static("text/html; charset=utf-8");
/// let page = StoredPage::new(StatusCode::OK, vec![(header::CONTENT_TYPE, html)], Bytes::from("<p>a</p>".repeat(99)));
/// let page = page.compress();
/// assert!(page.body(Coding::Brotli).bytes.len() < page.body(Coding::Identity).bytes.len());
/// ```
#[derive(Debug, Clone)]
pub struct StoredPage {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    identity: Body,
    encoded: [Option<Body>; 3],
    etag: u128,
    /// What stands inline in the body, where something does.
    inlined: Option<Arc<Inlined>>,
    /// Those of the lifetime that was asked for first. It is the same each time while the page is stored.
    lifetime: OnceLock<(Lifetime, LifetimeHeaders)>,
    /// Boxed: most pages of a large site are not asked for.
    heads: OnceLock<Box<ready::Heads>>,
}

/// What a ready head weighs, about.
const HEAD_BYTES: usize = 512;

type LifetimeHeaders = (HeaderValue, Option<HeaderValue>);

/// The body in one encoding, with the header values that belong to it.
#[derive(Debug, Clone)]
pub struct Body {
    /// The bytes that go out.
    pub bytes: Bytes,
    /// The value of `Content-Length`.
    pub length: HeaderValue,
    /// The value of `ETag`: strong, so another for each encoding (RFC 9110 §8.8.3.3).
    pub etag: HeaderValue,
}

/// The encodings that [`StoredPage::encoded`] holds, in its order.
const ENCODED: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];

impl StoredPage {
    /// A page with a plain body.
    ///
    /// Headers that belong to one visitor (`Set-Cookie`), to one connection, or to one answer (`Age`, `Date`,
    /// `Content-Length`, `ETag`…) are left out. A page that sets a cookie should not be stored at all; that is for the
    /// caller to see to, and this the last line of defence.
    pub fn new(status: StatusCode, mut headers: Vec<(HeaderName, HeaderValue)>, body: Bytes) -> Self {
        headers.retain(|(name, _)| is_kept(name));
        let etag = digest(status, &headers, &body, None);
        Self::assemble(status, headers, etag, body, [None, None, None], None)
    }

    /// With what stands inline in its body. It is a part of what the entity tags are made of: a browser that is told that its
    /// copy still holds must not run it under a policy for another one.
    #[must_use]
    pub fn with_inlined(self, inlined: Inlined) -> Self {
        let inlined = (!inlined.is_empty()).then(|| Arc::new(inlined));
        let etag = digest(self.status, &self.headers, &self.identity.bytes, inlined.as_deref());
        let encoded = self.encoded.map(|body| body.map(|body| body.bytes));
        Self::assemble(self.status, self.headers, etag, self.identity.bytes, encoded, inlined)
    }

    /// What stands inline in its body; `None` where nothing does, and for a page that was stored before this was noted.
    pub fn inlined(&self) -> Option<&Arc<Inlined>> {
        self.inlined.as_ref()
    }

    /// With bodies that were encoded before: brotli, zstd, gzip, in this order.
    #[must_use]
    pub fn with_encoded(self, encoded: [Option<Bytes>; 3]) -> Self {
        Self::assemble(self.status, self.headers, self.etag, self.identity.bytes, encoded, self.inlined)
    }

    /// Adds those encodings that make the body smaller: brotli at level 5, zstd at 3, gzip at 6. Beyond these levels,
    /// time grows faster than bytes shrink, and a page is compressed while somebody waits.
    ///
    /// Left as it is: a body under 256 bytes, of a type that is compressed already, or that the page encoded itself.
    /// Takes some 50 ms for each megabyte of text; large bodies belong on a thread that may block.
    #[must_use]
    pub fn compress(self) -> Self {
        compress::compress(self)
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The page's own headers.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// The value of one of the page's own headers.
    pub fn header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// The encodings that exist.
    pub fn codings(&self) -> Codings {
        let encoded = ENCODED
            .into_iter()
            .zip(&self.encoded)
            .filter_map(|(coding, body)| body.as_ref().and(Some(coding)));
        encoded.chain([Coding::Identity]).collect()
    }

    /// The body in this encoding, or the plain one where it does not exist.
    pub fn body(&self, coding: Coding) -> &Body {
        let at = ENCODED.iter().position(|encoded| *encoded == coding);
        at.and_then(|at| self.encoded.get(at)).and_then(Option::as_ref).unwrap_or(&self.identity)
    }

    /// What the entity tags are made of: a hash over status, headers and plain body.
    pub fn etag(&self) -> u128 {
        self.etag
    }

    pub(crate) fn last_modified(&self) -> Option<&HeaderValue> {
        self.header(&header::LAST_MODIFIED)
    }

    pub(crate) fn lifetime_headers(&self, lifetime: Lifetime) -> LifetimeHeaders {
        let made = || (lifetime.cache_control(), lifetime.cdn_cache_control());
        let (kept, headers) = self.lifetime.get_or_init(|| (lifetime, made()));
        if *kept == lifetime { headers.clone() } else { made() }
    }

    fn assemble(
        status: StatusCode,
        headers: Vec<(HeaderName, HeaderValue)>,
        etag: u128,
        identity: Bytes,
        encoded: [Option<Bytes>; 3],
        inlined: Option<Arc<Inlined>>,
    ) -> Self {
        let [br, zstd, gzip] = encoded;
        let with = |coding, body: Option<Bytes>| body.map(|bytes| Body::new(bytes, coding, etag));
        Self {
            status,
            headers,
            identity: Body::new(identity, Coding::Identity, etag),
            encoded: [with(Coding::Brotli, br), with(Coding::Zstd, zstd), with(Coding::Gzip, gzip)],
            etag,
            inlined,
            lifetime: OnceLock::new(),
            heads: OnceLock::new(),
        }
    }
}

impl Body {
    fn new(bytes: Bytes, coding: Coding, etag: u128) -> Self {
        let text = match coding {
            Coding::Identity => format!("\"{etag:032x}\""),
            coding => format!("\"{etag:032x}-{}\"", coding.as_str()),
        };
        let length = HeaderValue::from(bytes.len());
        // Hexadecimal digits and letters: always a header value.
        let etag = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("\"\""));
        Self { bytes, length, etag }
    }
}

impl Value for StoredPage {
    fn encode(&self, out: &mut Vec<u8>) {
        format::encode(self, out);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        format::decode(bytes)
    }

    fn weight(&self) -> usize {
        // A header value is a handle of 40 bytes and its text.
        let headers: usize =
            self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 72).sum();
        let bodies = self.encoded.iter().flatten().chain([&self.identity]);
        // One for each encoding; an answer that is not 200 has none.
        let heads = if self.status == StatusCode::OK { Coding::ALL.len() * HEAD_BYTES } else { 0 };
        let inlined = self.inlined.as_ref().map_or(0, |inlined| inlined.weight());
        size_of::<Self>()
            + headers
            + heads
            + inlined
            + bodies.map(|body| body.bytes.len() + 128).sum::<usize>()
    }
}

/// Each part is preceded by its length, so that no two pages run together to the same bytes.
fn digest(
    status: StatusCode,
    headers: &[(HeaderName, HeaderValue)],
    body: &[u8],
    inlined: Option<&Inlined>,
) -> u128 {
    let mut hash = Xxh3::new();
    let mut add = |part: &[u8]| {
        hash.update(&part.len().to_le_bytes());
        hash.update(part);
    };
    add(&status.as_u16().to_le_bytes());
    for (name, value) in headers {
        add(name.as_str().as_bytes());
        add(value.as_bytes());
    }
    add(b"");
    add(body);
    if let Some(inlined) = inlined {
        inlined.add_to(&mut hash);
    }
    hash.digest128()
}

#[cfg(test)]
mod tests;
