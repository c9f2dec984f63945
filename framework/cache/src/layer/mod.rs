//! The HTTP cache as a Tower layer, for any Axum application or reverse proxy.
//!
//! It is a shared cache by RFC 9111: it goes by what answers say of themselves (`Cache-Control`, `CDN-Cache-Control`,
//! `Expires`, `Vary`, …), and knows nothing of pages and tags, which Tropos keeps by other rules.
//!
//! ```
//! use axum::{Router, http::header, routing::get};
//! use tropos_cache::layer::{CacheLayer, LayerConfig};
//!
//! async fn rates() -> impl axum::response::IntoResponse {
//!     ([(header::CACHE_CONTROL, "max-age=60, stale-while-revalidate=600")], "1.07")
//! }
//!
//! # let clock = tropos_core::ManualClock::new(); // The age below is in seconds, of which a machine's clock may begin one.
//! let config = LayerConfig::default().most_bytes(16 << 20);
//! # let config = config.clock(clock);
//! let cache = CacheLayer::new(config);
//! let app = Router::new().route("/rates", get(rates)).layer(cache.clone());
//! cache.remove("shop.example", "/rates"); // by hand: host, path and query
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # use tower::ServiceExt as _;
//! # for expected in ["tropos; fwd=uri-miss; stored", "tropos; hit; ttl=60"] {
//! #     let request = http::Request::get("/rates").header("host", "shop.example");
//! #     let answer = app.clone().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
//! #     assert_eq!(answer.headers()["cache-status"], expected);
//! #     axum::body::to_bytes(answer.into_body(), 100).await.unwrap();
//! # }
//! # });
//! # let _: Router = app;
//! ```
//!
//! # Rules
//!
//! - Every decision is a pure function in [`policy`](crate::http::policy), which cites the section by which it decides;
//!   [`Cache-Status`](crate::http::CACHE_STATUS) on each answer to `GET` and `HEAD` says what it came to.
//! - Bodies stream through while they are stored. What is larger than the bound is passed on and not stored; what ends
//!   early is never stored.
//! - One request at a time asks for one URL; others wait for its answer, for a bounded time. Where that answer cannot be
//!   shared, they ask for themselves, and for a while nobody waits for that URL.
//! - A success of an unsafe method removes the stored answers of its URL, and of those that it names. An answer that was
//!   under way meanwhile is not stored.
//! - The store is bounded in bytes, the variants of one URL in number and, together, in bytes. What is stored is copied, so
//!   that it keeps no larger buffer than itself.
//!
//! # Caveats
//!
//! - `Set-Cookie` is not stored unless [`Rules`](crate::http::policy::Rules) say so, although RFC 9111 allows it.
//! - Cookies are no part of the key. An answer that depends on one must say so: `private`, `no-store` or `Vary: Cookie`.
//! - The key is host, path and query as the layer sees them. A request whose target and `Host` differ, or with more than
//!   one `Host`, is passed on: the service within may go by either. Within [`Router::nest`] a path lacks its prefix: put the
//!   layer around the outermost router.
//! - Neither is any other header field, but for what `Vary` names. An origin that answers differently by `X-Forwarded-Host`
//!   or the like must not be reachable with such a field of a client's making.
//! - Parts (206) are passed on and not stored. A part of what is stored whole is answered from the store.
//! - It runs on Tokio, whose timers bound its waits.
//!
//! [`Router::nest`]: https://docs.rs/axum/latest/axum/struct.Router.html#method.nest

mod answer;
mod body;
mod config;
mod exchange;
mod flight;
mod future;
#[expect(clippy::module_inception, reason = "the same file set as in the middleware of tower-http")]
mod layer;
mod marks;
mod service;
mod shared;
mod status;
mod store;
mod trip;

pub use body::{Body, BoxError};
pub use config::LayerConfig;
pub use future::ResponseFuture;
pub use layer::CacheLayer;
pub use service::CacheService;
