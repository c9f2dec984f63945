//! What a visitor is known by.

use crate::{EdgeRequest, edits::ContextValue, ready::Network};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use std::{borrow::Cow, fmt, sync::Arc};

/// What a visitor is known by.
///
/// A header or cookie is what the client makes it: whoever changes it with each request is somebody new each time. Count by
/// one only together with another limit by address, or behind a hook that has verified it; best by
/// [`context`](By::context), which is always verified. Whoever leaves it out is counted by address.
#[derive(Clone)]
pub struct By(Kind);

#[derive(Clone)]
enum Kind {
    Address,
    Header(String),
    Cookie(String),
    Route,
    Context(Arc<Read>),
}

type Read = dyn Fn(&EdgeRequest<'_>) -> Option<String> + Send + Sync;

impl By {
    /// Their address: whole for IPv4, the first 64 bits for IPv6, of which everybody has a whole range to choose from. Those
    /// whose address is not known are counted as one.
    pub fn address() -> Self {
        Self(Kind::Address)
    }

    /// The first value of a header, such as `x-api-key`.
    pub fn header(name: &str) -> Self {
        Self(Kind::Header(name.to_owned()))
    }

    /// The value of a cookie.
    pub fn cookie(name: &str) -> Self {
        Self(Kind::Cookie(name.to_owned()))
    }

    /// What an earlier hook knows of them: the id in a session, say.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tropos_edge::{edits::ContextValue, ready::rate_limit::By};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct User { id: u64 }
    /// # impl ContextValue for User { const NAME: &'static str = "user"; }
    /// let by = By::context(|user: &User| user.id.to_string());
    /// ```
    pub fn context<T: ContextValue>(id: impl Fn(&T) -> String + Send + Sync + 'static) -> Self {
        Self(Kind::Context(Arc::new(move |request| request.context::<T>().map(|value| id(&value)))))
    }

    /// The page that they ask for, as it was declared, or the path of what is no page: each has a count of its own.
    pub fn route() -> Self {
        Self(Kind::Route)
    }

    fn value<'r>(&self, request: &'r EdgeRequest<'_>) -> Cow<'r, str> {
        let known = match &self.0 {
            Kind::Address => None,
            Kind::Header(name) => request.header(name).map(Cow::Borrowed),
            Kind::Cookie(name) => request.cookie(name).map(Cow::Borrowed),
            Kind::Context(read) => read(request).map(Cow::Owned),
            Kind::Route => {
                let pattern = request.route().map(|route| Cow::Owned(route.pattern.to_owned()));
                return pattern.unwrap_or_else(|| Cow::Borrowed(request.path().as_str()));
            }
        };
        // The letter before tells an address from a header that spells one.
        match known {
            Some(known) => Cow::Owned(format!("k{known}")),
            None => Cow::Owned(format!("a{}", address(request))),
        }
    }
}

fn address(request: &EdgeRequest<'_>) -> String {
    let network = request.client().address.map(|address| Network::around(address, 64));
    network.map_or_else(|| "unknown".to_owned(), |network| network.to_string())
}

/// All values in one, of 22 characters: neither addresses nor API keys get into the store of counts, and no client makes a
/// key longer.
pub(super) fn hashed(by: &[By], request: &EdgeRequest<'_>) -> String {
    let mut hash = Sha256::new();
    for one in by {
        let value = one.value(request);
        // With its length before it, so that no two lists of values are written alike.
        // As wide in a Worker as on a server, which may count in one store.
        hash.update(u64::try_from(value.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(value.as_bytes());
    }
    let hash = hash.finalize();
    URL_SAFE_NO_PAD.encode(hash.first_chunk::<16>().unwrap_or(&[0; 16]))
}

impl fmt::Debug for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Address => f.write_str("Address"),
            Kind::Header(name) => write!(f, "Header({name})"),
            Kind::Cookie(name) => write!(f, "Cookie({name})"),
            Kind::Route => f.write_str("Route"),
            Kind::Context(_) => f.write_str("Context"),
        }
    }
}
