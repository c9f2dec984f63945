//! What a hook may change, a type for each direction, so that what is meant for the page is never sent to the client.

use crate::{Error, Event, VariantName, Variants, ready::security::Csp, request::Geo};
use cookie::{
    Cookie,
    time::{Duration, OffsetDateTime},
};
use http::{HeaderName, HeaderValue};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// Changes of all hooks together may be this many; more is an error, not a request that grows without end.
pub const MOST_EDITS: usize = 128;

/// Values for pages may be this long together, in bytes of JSON: at the edge they travel in a header.
pub const LONGEST_CONTEXT: usize = 4 * 1024;

/// Whether a cookie is one that takes another away.
pub fn is_removal(cookie: &Cookie<'_>) -> bool {
    cookie.max_age().is_some_and(|age| age.is_zero())
}

/// The cookie that takes another away. It expired in 1970, not a year ago as `make_removal` has it, which asks for the time: in a
/// Worker's wasm nobody knows it, and the hooks would end there.
pub(crate) fn removal(name: &str) -> Cookie<'static> {
    let cookie = Cookie::build((name.to_owned(), "")).path("/");
    cookie.max_age(Duration::ZERO).expires(OffsetDateTime::UNIX_EPOCH).build()
}

/// One change of headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderEdit {
    /// In place of all of this name.
    Set(HeaderName, HeaderValue),
    /// Beside those of this name.
    Append(HeaderName, HeaderValue),
    /// None of this name is left.
    Remove(HeaderName),
    /// Each of these in place of all of its name.
    SetAll(Arc<HeaderSet>),
}

/// Headers by which the connection itself is run (RFC 9110 §7.6.1, RFC 9112), and the date: whoever writes the answer writes them.
pub const OF_CONNECTION: [&str; 9] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers by which an answer says for how long others may keep it, or how they find it to end it.
pub const OF_CACHES: [&str; 5] =
    ["cache-control", "cdn-cache-control", "surrogate-control", "surrogate-key", "cache-tag"];

/// Headers that are the same for every request, checked and written out once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderSet {
    headers: Vec<(HeaderName, HeaderValue, Box<[u8]>)>,
    of_connection: bool,
    of_caches: bool,
}

impl HeaderSet {
    /// A set; of a name that comes twice, the last value counts.
    ///
    /// # Errors
    /// [`Error::Header`] for a name or value that no header may have.
    pub fn new<'h>(headers: impl IntoIterator<Item = (&'h str, &'h str)>) -> Result<Self, Error> {
        let mut set = Self::default();
        for (name, value) in headers {
            let wrong = || Error::Header { name: name.to_owned(), value: value.to_owned() };
            let name: HeaderName = name.parse().map_err(|_| wrong())?;
            let value = HeaderValue::from_str(value).map_err(|_| wrong())?;
            let line = [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat();
            set.of_connection |= OF_CONNECTION.contains(&name.as_str());
            set.of_caches |= OF_CACHES.contains(&name.as_str());
            set.headers.retain(|(known, ..)| *known != name);
            set.headers.push((name, value, line.into()));
        }
        Ok(set)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.headers.iter().map(|(name, value, _)| (name, value))
    }

    /// Whether one of them is [of the connection](OF_CONNECTION).
    pub fn is_of_connection(&self) -> bool {
        self.of_connection
    }

    /// Whether one of them is [for caches](OF_CACHES).
    pub fn is_of_caches(&self) -> bool {
        self.of_caches
    }

    /// Names, and their lines as bytes of HTTP/1.1 (RFC 9112 §5), line end included.
    pub fn lines(&self) -> impl Iterator<Item = (&HeaderName, &[u8])> {
        self.headers.iter().map(|(name, _, line)| (name, &**line))
    }
}

impl HeaderEdit {
    /// Does it to a map.
    pub fn apply(&self, headers: &mut http::HeaderMap) {
        match self {
            Self::Set(name, value) => drop(headers.insert(name.clone(), value.clone())),
            Self::Append(name, value) => drop(headers.append(name.clone(), value.clone())),
            Self::Remove(name) => drop(headers.remove(name)),
            Self::SetAll(set) => {
                set.iter().for_each(|(name, value)| drop(headers.insert(name.clone(), value.clone())));
            }
        }
    }
}

/// What a hook changes on the way.
#[derive(Debug, Default)]
pub struct Edits {
    parts: Parts,
    error: Option<Error>,
}

/// Headers that the page reads. They never reach the client.
#[derive(Debug)]
pub struct RequestHeaders<'a>(&'a mut Edits);

/// Headers that the client is sent. The page never reads them.
#[derive(Debug)]
pub struct ResponseHeaders<'a>(&'a mut Edits);

/// A value that hooks leave for `server` and `live` pages, and for server functions.
pub trait ContextValue: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name among all such values, such as `user`.
    const NAME: &'static str;
}

impl Edits {
    /// The headers that the page reads.
    pub fn request_headers(&mut self) -> RequestHeaders<'_> {
        RequestHeaders(self)
    }

    /// The headers that the client is sent.
    pub fn response_headers(&mut self) -> ResponseHeaders<'_> {
        ResponseHeaders(self)
    }

    /// Sets a cookie: the client is sent it, in a line of its own, and hooks and pages of this very request read it.
    pub fn set_cookie(&mut self, cookie: Cookie<'static>) {
        if self.has_room() {
            self.parts.cookies.push(cookie);
        }
    }

    /// Takes a cookie away, from the client and from this request.
    pub fn remove_cookie(&mut self, name: &str) {
        self.set_cookie(removal(name));
    }

    /// Chooses a variant. Pages that declare it are stored once for each value.
    pub fn choose<V: VariantName>(&mut self, value: V) {
        self.parts.variants.choose(value);
    }

    /// Leaves a value for the page, in place of an earlier one of the same type.
    pub fn context<T: ContextValue>(&mut self, value: &T) {
        match serde_json::to_string(value) {
            Ok(json) => {
                self.parts.context.retain(|(name, _)| *name != T::NAME);
                self.parts.context.push((T::NAME, json));
                if context_len(&self.parts.context) > LONGEST_CONTEXT {
                    self.fail(CONTEXT_FULL);
                }
            }
            Err(error) => {
                self.fail(Error::Hook(format!("the value `{}` cannot be written as JSON: {error}", T::NAME)))
            }
        }
    }

    /// Tells the adapter of something, such as an exposure to an experiment. What is beyond
    /// [`MOST_EVENTS`](crate::event::MOST_EVENTS) of one request is dropped: no page fails for what is counted.
    pub fn event(&mut self, event: Event) {
        self.parts.events.push(event);
    }

    /// Says by which policy the page's own content is held (CSP), in place of an earlier one. The server completes it with the
    /// nonce of a streamed page or the hashes of a stored one: see [`ready::security`](crate::ready::security).
    pub fn csp(&mut self, policy: Arc<Csp>) {
        self.parts.csp = Some(policy);
    }

    /// Says where the visitor is, for later hooks: they read it by [`EdgeRequest::client`](crate::EdgeRequest::client).
    pub fn geo(&mut self, geo: Geo<'static>) {
        self.parts.geo = Some(geo);
    }

    /// Says that this very decision depends on who asks, where the hook as a whole does not
    /// ([`depends_on_visitor`](crate::Hook::depends_on_visitor)): a page that goes on from here is `private` to caches outside.
    pub fn depends_on_visitor(&mut self) {
        self.parts.personal = true;
    }

    /// Notes something for later hooks of this very request, which [`is_marked`](crate::EdgeRequest::is_marked) tells. After a
    /// rewrite all hooks run again: by a mark, one that counts knows that it has.
    pub fn mark(&mut self, mark: impl Into<String>) {
        self.parts.marks.push(mark.into());
    }

    /// Whether the hook has changed nothing, and nothing was wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.request.is_empty()
            && self.parts.response.is_empty()
            && self.parts.cookies.is_empty()
            && self.parts.variants.is_empty()
            && self.parts.context.is_empty()
            && self.parts.events.is_empty()
            && self.parts.marks.is_empty()
            && self.parts.csp.is_none()
            && self.parts.geo.is_none()
            && self.error.is_none()
            && !self.parts.personal
    }

    fn has_room(&mut self) -> bool {
        let room =
            self.parts.request.len() + self.parts.response.len() + self.parts.cookies.len() < MOST_EDITS;
        if !room {
            self.fail(EDITS_FULL);
        }
        room
    }

    fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    fn push(
        &mut self,
        name: &str,
        value: Option<&str>,
        response: bool,
        make: impl FnOnce(HeaderName, HeaderValue) -> HeaderEdit,
    ) {
        let parsed =
            name.parse::<HeaderName>().ok().zip(HeaderValue::from_str(value.unwrap_or_default()).ok());
        let Some((name, value)) = parsed else {
            return self
                .fail(Error::Header { name: name.to_owned(), value: value.unwrap_or_default().to_owned() });
        };
        if self.has_room() {
            let edits = if response { &mut self.parts.response } else { &mut self.parts.request };
            edits.push(make(name, value));
        }
    }

    /// What the hook changed, to be taken over and left empty; the first thing that was wrong with it, if something was.
    pub(crate) fn parts(&mut self) -> Result<&mut Parts, Error> {
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok(&mut self.parts),
        }
    }
}

/// What hooks changed, checked.
#[derive(Debug, Default, Clone)]
pub(crate) struct Parts {
    pub(crate) request: Vec<HeaderEdit>,
    pub(crate) response: Vec<HeaderEdit>,
    pub(crate) cookies: Vec<Cookie<'static>>,
    pub(crate) variants: Variants,
    pub(crate) context: Vec<(&'static str, String)>,
    pub(crate) events: Vec<Event>,
    pub(crate) csp: Option<Arc<Csp>>,
    pub(crate) geo: Option<Geo<'static>>,
    pub(crate) marks: Vec<String>,
    pub(crate) personal: bool,
}

impl Parts {
    /// How many headers and cookies are changed.
    pub(crate) fn edits(&self) -> usize {
        self.request.len() + self.response.len() + self.cookies.len() + self.marks.len()
    }

    /// How long the values for the page are together.
    pub(crate) fn context_len(&self) -> usize {
        context_len(&self.context)
    }
}

fn context_len(context: &[(&'static str, String)]) -> usize {
    context.iter().map(|(name, json)| name.len() + json.len()).sum()
}

/// More values for the page than fit.
pub(crate) const CONTEXT_FULL: Error = Error::Limit(
    "hooks leave more than 4 KiB of values for the page: leave a name, and let the page read the rest",
);

/// More changes than one request may have.
pub(crate) const EDITS_FULL: Error =
    Error::Limit("hooks change more than 128 headers and cookies of one request");

macro_rules! headers {
    ($name:ident, $response:literal) => {
        impl $name<'_> {
            /// Sets a header in place of all of its name. A name or value that no header may have fails the hook, and with it
            /// the request.
            pub fn set(&mut self, name: &str, value: &str) {
                self.0.push(name, Some(value), $response, HeaderEdit::Set);
            }

            /// Adds a header beside others of its name.
            pub fn append(&mut self, name: &str, value: &str) {
                self.0.push(name, Some(value), $response, HeaderEdit::Append);
            }

            /// Takes away all headers of this name.
            pub fn remove(&mut self, name: &str) {
                self.0.push(name, None, $response, |name, _| HeaderEdit::Remove(name));
            }
        }
    };
}

impl ResponseHeaders<'_> {
    /// Sets headers that are the same for every request: no name or value is read again.
    pub fn set_all(&mut self, set: &Arc<HeaderSet>) {
        if self.0.has_room() {
            self.0.parts.response.push(HeaderEdit::SetAll(set.clone()));
        }
    }
}

headers!(RequestHeaders, false);
headers!(ResponseHeaders, true);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_taken_away_without_asking_for_the_time() {
        let mut edits = Edits::default();
        edits.remove_cookie("old");
        let parts = edits.parts().unwrap();
        let [gone] = parts.cookies.as_slice() else { unreachable!() };
        assert!(is_removal(gone));
        assert_eq!(gone.to_string(), "old=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
