//! What HTTP says about a stored page, as pure functions: no I/O, no clock.
//!
//! | module | decides | by |
//! |---|---|---|
//! | [`lifetime`] | `Cache-Control` and `CDN-Cache-Control` | RFC 9111, RFC 5861, RFC 9213 |
//! | [`status`] | `Cache-Status` | RFC 9211 |
//! | [`coding`] | which content coding goes out | RFC 9110 §12.5.3 |
//! | [`conditional`] | 304 and 412 | RFC 9110 §13 |
//! | [`range`] | 206 and 416 | RFC 9110 §14 |
//! | [`respond`](mod@respond) | the whole answer, from the other five | |
//! | [`policy`] | what a shared cache may do with anybody's answer | RFC 9111 |
//! | [`wire`] | an answer as the bytes of HTTP/1.1 | RFC 9112 §4 |
//!
//! Values that do not change from one answer to the next are made once, when the page is stored; an answer clones
//! them, which costs a reference count each.

pub mod coding;
pub mod conditional;
pub mod lifetime;
mod page_kind;
pub mod policy;
pub mod range;
pub mod respond;
pub mod status;
pub mod wire;

pub use coding::{Coding, Codings};
pub use lifetime::Lifetime;
pub(crate) use page_kind::{is_kept, is_worth_compressing};
pub use respond::{Facts, respond};
pub use status::{CacheStatus, Detail};

use ::http::HeaderName;

/// `CDN-Cache-Control` (RFC 9213 §3.1).
pub const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

/// `Cache-Status` (RFC 9211 §2).
pub const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
