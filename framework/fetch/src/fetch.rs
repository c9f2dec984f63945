//! A request while it is being described.

use crate::{
    Error, Fetched, IntoRevalidate,
    call::Call,
    store::{self, Policy, Statuses},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use reqwest::Url;
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Display, sync::Arc, time::Duration};
use tropos_core::{Ages, Revalidate, Tag, Tags};

/// How long a fetch may take, redirects and body included: less than readers wait for a page, and a small part of the
/// 30 s that a render may take, so that the page can still answer without it.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// How many bytes an answer may have, decompressed: JSON for a page has a few hundred kilobytes, and a hundred renders
/// at once still fit a small machine.
pub const DEFAULT_BYTES: usize = 8 << 20;

/// How many redirects `GET` and `HEAD` follow: sites that move take two or three; loops end soon. Other methods follow
/// none, so that a body goes to nobody but whom it was addressed to.
pub const DEFAULT_REDIRECTS: usize = 5;

/// A request, to be sent by [`send`](Fetch::send), [`text`](Fetch::text) or [`json`](Fetch::json). What was wrong with
/// its description is said when it is sent.
#[derive(Debug, Clone)]
#[must_use = "a fetch does nothing until it is sent"]
pub struct Fetch {
    method: Method,
    url: Result<Url, Error>,
    headers: HeaderMap,
    body: Bytes,
    timeout: Duration,
    max_bytes: usize,
    redirects: usize,
    revalidate: Option<Revalidate>,
    expire: Option<Revalidate>,
    tags: Vec<Tag>,
    store_private: bool,
    store_statuses: Statuses,
    by_origin: bool,
    allow_private: bool,
    /// The first thing that was wrong.
    problem: Option<Error>,
}

impl Fetch {
    pub(crate) fn new(method: Method, url: &str) -> Self {
        let redirects = if method.is_safe() { DEFAULT_REDIRECTS } else { 0 };
        Self {
            method,
            url: read_url(url),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: DEFAULT_TIMEOUT,
            max_bytes: DEFAULT_BYTES,
            redirects,
            revalidate: None,
            expire: None,
            tags: Vec::new(),
            store_private: false,
            store_statuses: Statuses::Usual,
            by_origin: false,
            allow_private: false,
            problem: None,
        }
    }

    /// Adds a header.
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName> + ToString,
        V: TryInto<HeaderValue>,
    {
        let text = name.to_string();
        match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(value)) => {
                self.headers.append(name, value);
            }
            _ => self.note(Error::Header { name: text }),
        }
        self
    }

    /// Adds pairs to the query of the URL, encoded.
    pub fn query<K: AsRef<str>, V: Display>(mut self, pairs: &[(K, V)]) -> Self {
        if let (Ok(url), false) = (&mut self.url, pairs.is_empty()) {
            let mut query = url.query_pairs_mut();
            for (name, value) in pairs {
                query.append_pair(name.as_ref(), &value.to_string());
            }
        }
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to JSON, and `Content-Type` with it.
    pub fn json_body(mut self, body: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(body) {
            Ok(json) => {
                self.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                self.body = json.into();
            }
            Err(error) => self.note(Error::Serialize(Arc::new(error))),
        }
        self
    }

    /// Stores the answer, and gives it to all who send the same request, until it is this old: `"5m"`, `"never"`, or a
    /// [`Duration`].
    ///
    /// The same request is one with the same method, URL, headers (but those of tracing), body and limits, declared
    /// with the same ages and tags.
    pub fn revalidate(mut self, age: impl IntoRevalidate) -> Self {
        match age.into_revalidate() {
            Ok(age) => self.revalidate = Some(age),
            Err(error) => self.note(error.into()),
        }
        self
    }

    /// The age after which the stored answer may not be given at all, not even while its source fails; `"never"`: no
    /// such age. Ten times `revalidate` and at least an hour, unless set.
    pub fn expire(mut self, age: impl IntoRevalidate) -> Self {
        match age.into_revalidate() {
            Ok(age) => self.expire = Some(age),
            Err(error) => self.note(error.into()),
        }
        self
    }

    /// Names the data, for invalidation: of the stored answer, and of every page that reads it.
    pub fn tags<T: Into<Tag>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }

    /// Does not store the answer. That is so anyway unless [`revalidate`](Self::revalidate) or
    /// [`honour_origin`](Self::honour_origin) is asked for, which this takes back.
    pub fn no_store(mut self) -> Self {
        (self.revalidate, self.expire, self.by_origin) = (None, None, false);
        self
    }

    /// Goes by what the origin's own headers say about the answer (RFC 9111): it is stored where they let a shared cache
    /// store it, for as long as they say (`s-maxage`, `max-age`, `Expires`, less its `Age`), and no longer than a
    /// declared [`revalidate`](Self::revalidate).
    ///
    /// An answer that says nothing of its age is not stored: no age is guessed. Neither is the answer to another method
    /// than `GET` or `HEAD`, nor one that came by a redirect. A stale answer is taken at once within its
    /// `stale-while-revalidate` alone, and stands in for a failing source unless it forbids that (`must-revalidate`,
    /// `proxy-revalidate`, `no-cache`, or `s-maxage` without `stale-if-error`), for its `stale-if-error` where it has
    /// one. Once stale it is asked for by `If-None-Match` or `If-Modified-Since`, so that an unchanged one is not sent
    /// again; once invalidated, it is read as a whole.
    ///
    /// With [`store_private`](Self::store_private), the rules are those of a private cache.
    pub fn honour_origin(mut self) -> Self {
        self.by_origin = true;
        self
    }

    /// Stores answers of these statuses, 200 to 499, and of no other. Default: 200 alone; with
    /// [`honour_origin`](Self::honour_origin), all that RFC 9111 lets be stored.
    ///
    /// A 5xx says that the source fails, and is never stored.
    pub fn store_statuses(mut self, statuses: impl IntoIterator<Item = u16>) -> Self {
        let mut statuses: Vec<u16> = statuses.into_iter().collect();
        if let Some(&status) = statuses.iter().find(|status| !(200..500).contains(*status)) {
            self.note(Error::StoreStatus { status });
        }
        statuses.sort_unstable();
        statuses.dedup();
        self.store_statuses = Statuses::These(statuses.into());
        self
    }

    /// Reaches the origin of this URL wherever it lies: on this machine, in a private network. Other addresses than
    /// those of the public internet are refused when the connection is made, unless they are named in the configuration
    /// (`fetch_allow`).
    ///
    /// For a URL that you wrote. One that a visitor chose, or a part of whose host they chose, could lead to your own
    /// machines. A redirect to another origin is not covered by this.
    pub fn allow_private(mut self) -> Self {
        self.allow_private = true;
        self
    }

    /// Stores the answer although the request carries `Authorization` or `Cookie`, or the answer `Set-Cookie`.
    ///
    /// These headers are a part of the entry's name, so that it is given only to requests with the same ones. Right for
    /// a token of the application; with the tokens of visitors, there is an entry for each of them.
    pub fn store_private(mut self) -> Self {
        self.store_private = true;
        self
    }

    /// How long it may take, redirects and body included. Default: [`DEFAULT_TIMEOUT`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many bytes the answer may have, decompressed. Default: [`DEFAULT_BYTES`].
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How many redirects are followed; with 0, the 3xx answer is returned as it is. Default: [`DEFAULT_REDIRECTS`] for
    /// `GET` and `HEAD`, else 0.
    ///
    /// `Authorization` and `Cookie` are not sent on to another origin. A 303, and a 301 or 302 to a `POST`, is followed
    /// by `GET` without the body (RFC 9110 §15.4).
    pub fn redirects(mut self, most: usize) -> Self {
        self.redirects = most;
        self
    }

    /// Sends it, or takes the stored answer. An answer of any status is `Ok`.
    ///
    /// # Errors
    /// What was wrong with the description; no whole answer within the limits.
    pub async fn send(self) -> Result<Fetched, Error> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let ages = ages(self.revalidate, self.expire, self.by_origin)?;
        let call = Call {
            method: self.method,
            url: self.url?,
            headers: self.headers,
            body: self.body,
            timeout: self.timeout,
            max_bytes: self.max_bytes,
            redirects: self.redirects,
            allow_private: self.allow_private,
        };
        let policy = Policy {
            ages,
            tags: Tags::from_iter(self.tags),
            private: self.store_private,
            statuses: self.store_statuses,
            by_origin: self.by_origin,
        };
        store::read(call, policy).await
    }

    /// Sends it, and reads the answer as text.
    ///
    /// # Errors
    /// As [`send`](Self::send); a status other than 2xx; an answer that is not UTF-8.
    pub async fn text(self) -> Result<String, Error> {
        self.send().await?.error_for_status()?.text()
    }

    /// Sends it, and reads the answer as JSON.
    ///
    /// # Errors
    /// As [`send`](Self::send); a status other than 2xx; an answer that does not read as a `T`.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        self.send().await?.error_for_status()?.json()
    }

    fn note(&mut self, problem: Error) {
        self.problem.get_or_insert(problem);
    }
}

/// The ages of the entry; `None` where there is to be none.
fn ages(
    revalidate: Option<Revalidate>,
    expire: Option<Revalidate>,
    by_origin: bool,
) -> Result<Option<Ages>, Error> {
    Ok(match (revalidate, expire) {
        // With no age declared, the origin's alone counts.
        (None, None | Some(Revalidate::Never)) if by_origin => Some(Ages::NEVER),
        (None, Some(Revalidate::After(expire))) if by_origin => {
            Some(Ages::new(Revalidate::Never, Some(expire))?)
        }
        (None, None) => None,
        (None, Some(_)) => return Err(Error::ExpireAlone),
        (Some(revalidate), None) => Some(Ages::new(revalidate, None)?),
        (Some(revalidate), Some(Revalidate::After(expire))) => Some(Ages::new(revalidate, Some(expire))?),
        (Some(Revalidate::After(age)), Some(Revalidate::Never)) => {
            Some(Ages::from_millis(Some(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)), None))
        }
        (Some(Revalidate::Never), Some(Revalidate::Never)) => Some(Ages::NEVER),
    })
}

fn read_url(text: &str) -> Result<Url, Error> {
    let wrong = |problem: String| Error::Url { url: text.to_owned(), problem };
    let mut url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(format!("its scheme is `{}`", url.scheme())));
    }
    // Not sent, so not a part of the entry's name.
    url.set_fragment(None);
    Ok(url)
}
