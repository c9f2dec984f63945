//! An answer.

use crate::Error;
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The answer to a fetch.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fetched {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, but those of the connection; when stored, also without `Set-Cookie`.
    pub headers: HeaderMap,
    /// Its body, decompressed.
    pub body: Bytes,
    url: String,
    /// Whether it came by a redirect; not known of what was stored.
    redirected: bool,
}

/// What concerns the connection alone (RFC 9110 §7.6.1).
const OF_CONNECTION: [HeaderName; 6] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

impl Fetched {
    pub(crate) fn new(url: String, status: StatusCode, mut headers: HeaderMap, body: Bytes) -> Self {
        OF_CONNECTION.iter().for_each(|name| _ = headers.remove(name));
        Self { status, headers, body, url, redirected: false }
    }

    /// The answer, as one that came by a redirect.
    pub(crate) fn redirected(self) -> Self {
        Self { redirected: true, ..self }
    }

    /// Whether it came by a redirect.
    pub(crate) fn is_redirected(&self) -> bool {
        self.redirected
    }

    /// The answer, where its status is 2xx.
    ///
    /// # Errors
    /// [`Error::Status`] for any other.
    pub fn error_for_status(self) -> Result<Self, Error> {
        match self.status.is_success() {
            true => Ok(self),
            false => Err(Error::Status { url: self.url, status: self.status }),
        }
    }

    /// The answer, unless its status is 404 or 410; for `.found().or_not_found()?` in a page.
    pub fn found(self) -> Option<Self> {
        (!matches!(self.status, StatusCode::NOT_FOUND | StatusCode::GONE)).then_some(self)
    }

    /// The body as text.
    ///
    /// # Errors
    /// [`Error::Text`] where it is not UTF-8.
    pub fn text(self) -> Result<String, Error> {
        String::from_utf8(self.body.into()).map_err(|_| Error::Text { url: self.url })
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// [`Error::Json`] where it does not read as a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|source| Error::Json { url: self.url.clone(), source: Arc::new(source) })
    }

    /// As it is stored: `status u16 · count u32 · (length u32 · name · length u32 · value)… · body`, little-endian.
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.body.len() + 512);
        let kept = || self.headers.iter().filter(|(name, _)| *name != header::SET_COOKIE);
        out.put_u16_le(self.status.as_u16());
        out.put_u32_le(u32::try_from(kept().count()).unwrap_or(u32::MAX));
        for part in kept().flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]) {
            out.put_u32_le(u32::try_from(part.len()).unwrap_or(u32::MAX));
            out.put_slice(part);
        }
        out.put_slice(&self.body);
        out.freeze()
    }

    /// Reads what [`Fetched::encode`] wrote, sharing the bytes of the body; `None` for anything else.
    pub(crate) fn decode(url: String, mut stored: Bytes) -> Option<Self> {
        let status = StatusCode::from_u16(u16::from_le_bytes(take(&mut stored)?)).ok()?;
        let count = u32::from_le_bytes(take(&mut stored)?);
        let mut headers = HeaderMap::new();
        for _ in 0..count {
            let name = HeaderName::from_bytes(&part(&mut stored)?).ok()?;
            let value = HeaderValue::from_maybe_shared(part(&mut stored)?).ok()?;
            headers.try_append(name, value).ok()?;
        }
        Some(Self { status, headers, body: stored, url, redirected: false })
    }
}

fn take<const N: usize>(stored: &mut Bytes) -> Option<[u8; N]> {
    let array = *stored.first_chunk()?;
    let _ = stored.split_to(N);
    Some(array)
}

fn part(stored: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(u32::from_le_bytes(take(stored)?)).ok()?;
    (length <= stored.len()).then(|| stored.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_back_is_what_was_stored_without_its_cookies() {
        let header = |name: &'static str, value: &'static str| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut headers: HeaderMap =
            [header("etag", "\"a\""), header("set-cookie", "a=1")].into_iter().collect();
        headers.append("link", HeaderValue::from_static("</a>"));
        headers.append("link", HeaderValue::from_static("</b>"));
        let fetched = Fetched::new("http://a/".into(), StatusCode::OK, headers, "body".into());
        let stored = fetched.encode();
        let read = Fetched::decode("http://a/".into(), stored.clone()).unwrap();
        assert_eq!((read.status, &*read.body), (StatusCode::OK, &b"body"[..]));
        assert_eq!(read.headers.get_all("link").iter().collect::<Vec<_>>(), ["</a>", "</b>"]);
        assert!(read.headers.contains_key("etag") && !read.headers.contains_key("set-cookie"));
        let head = stored.len() - "body".len();
        for end in 0..head {
            assert!(Fetched::decode(String::new(), stored.slice(..end)).is_none(), "cut at {end}");
        }
    }

    #[test]
    fn foreign_bytes_are_refused() {
        for bytes in [&[][..], &[0xff; 40], &[200, 0, 255, 255, 255, 255, 1, 0, 0, 0, b'a']] {
            assert!(Fetched::decode(String::new(), Bytes::from_static(bytes)).is_none(), "{bytes:?}");
        }
    }
}
