//! Outbound HTTP over the cache of Tropos.
//!
//! ```no_run
//! use serde::Deserialize;
//! use tropos_fetch as fetch;
//!
//! #[derive(Deserialize)]
//! struct Rates { eur: f64 }
//!
//! # async fn page() -> Result<(), fetch::Error> {
//! let rates: Rates = fetch::get("https://rates.example/latest")
//!     .query(&[("base", "usd")])
//!     .revalidate("5m")
//!     .tags(["rates"])
//!     .json()
//!     .await?;
//! # let _ = rates.eur;
//! # Ok(()) }
//! ```
//!
//! What is read this way belongs to the render that reads it:
//!
//! | | stored | read twice in one render | tags flow to the page |
//! |---|---|---|---|
//! | `get`, `HEAD` | no | one call, also when it fails | yes |
//! | `post` and other methods | no | two calls | yes |
//! | any, with [`revalidate`](Fetch::revalidate) | yes | one call, also when it fails | yes, and its age |
//!
//! Only an answer with status 200 is stored, unless [`store_statuses`](Fetch::store_statuses) or, going by the origin's
//! own headers, [`honour_origin`](Fetch::honour_origin) say otherwise. While the source fails (5xx, no answer), an older answer that is not past
//! its [`expire`](Fetch::expire) is given instead. A request with `Authorization` or `Cookie`, and an answer with
//! `Set-Cookie`, are not stored unless [`store_private`](Fetch::store_private) asks for it.
//!
//! Everything is bounded: time, bytes after decompression, redirects, calls to one host at a time. Only hosts of the
//! public internet are reached, unless [`allow_private`](Fetch::allow_private) or [`Config::allow`] name others: the
//! address is checked when the connection is made, for each redirect anew.
//!
//! Outside a render (in a test, a migration, a script) there is no cache to ask, and each fetch is a plain request.
//! Proxies of the environment are not used.

mod call;
mod client;
mod conditional;
mod config;
mod digest;
mod error;
mod fetch;
mod fetched;
mod guard;
mod hosts;
mod observe;
mod origin;
mod revalidate;
mod store;

pub use config::{Called, Config, DEFAULT_CALLS_PER_HOST, Observer, install};
pub use error::Error;
pub use fetch::{DEFAULT_BYTES, DEFAULT_REDIRECTS, DEFAULT_TIMEOUT, Fetch};
pub use fetched::Fetched;
pub use guard::{Allow, NotPublic, Resolver, Resolving, is_public, why_not_public};
pub use http::{Method, StatusCode};
pub use revalidate::IntoRevalidate;

/// Reads a URL.
pub fn get(url: impl AsRef<str>) -> Fetch {
    request(Method::GET, url)
}

/// Posts to a URL. Not stored, and never left out, unless [`Fetch::revalidate`] says that it only reads.
pub fn post(url: impl AsRef<str>) -> Fetch {
    request(Method::POST, url)
}

/// A request of any method.
pub fn request(method: Method, url: impl AsRef<str>) -> Fetch {
    Fetch::new(method, url.as_ref())
}
