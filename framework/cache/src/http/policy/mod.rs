//! What a shared cache may do with an answer (RFC 9111), as pure functions from plain data: no I/O, no clock.
//!
//! | module | decides | by |
//! |---|---|---|
//! | [`request`] | whether a cache has any part in a request | RFC 9111 §4, RFC 9110 §9.2 |
//! | [`directives`] | what `Cache-Control` says | RFC 9111 §5.2, RFC 5861 |
//! | [`targeted`] | what `CDN-Cache-Control` says | RFC 9213, RFC 8941 |
//! | [`fields`] | which header fields are stored, and which are for one hop only | RFC 9111 §3.1, RFC 9110 §7.6.1 |
//! | [`storable`] | whether an answer may be stored | RFC 9111 §3, §3.5 |
//! | [`freshness`] | for how long it is fresh | RFC 9111 §4.2.1, §4.2.2 |
//! | [`age`] | how old it is | RFC 9111 §4.2.3 |
//! | [`vary`] | which requests it answers | RFC 9111 §4.1 |
//! | [`stored`] | the above, taken together when an answer arrives | |
//! | [`reuse`] | whether it may answer now, and after a failure | RFC 9111 §4, §4.2.4, RFC 5861 |
//! | [`validation`] | how the origin is asked, and what 304 and `HEAD` change | RFC 9111 §4.3 |
//! | [`conditions`] | 304, 206 and 416 from what is stored | RFC 9111 §4.3.2, RFC 9110 §13, §14 |
//! | [`invalidation`] | what an unsafe request makes unusable | RFC 9111 §4.4 |
//!
//! A property test (`tests/policy_properties.rs`) holds them to `http-cache-semantics` where both decide.

pub mod age;
pub mod conditions;
pub mod directives;
pub mod fields;
pub mod freshness;
pub mod invalidation;
pub mod request;
pub mod reuse;
mod rules;
pub mod storable;
pub mod stored;
pub mod targeted;
#[cfg(test)]
mod testing;
pub mod validation;
pub mod vary;

pub use age::Exchange;
pub use directives::{Control, Directives};
pub use freshness::{Freshness, Source};
pub use request::{Asked, Part};
pub use reuse::{Failure, Reuse};
pub use rules::Rules;
pub use storable::NotStored;
pub use stored::Stored;
pub use validation::Freshened;
