//! Umberlow sells paint, by name. It shows the four modes of Tropos in one shop.
//!
//! | module | holds |
//! |---|---|
//! | `app` | the table of pages, and what goes around them |
//! | `pages` | one file a page: path, mode, ages and markup |
//! | `components` | what several pages show |
//! | [`hooks`] | what a request passes before a page is looked up, in the server and at a CDN |
//! | [`islands`] | what is interactive: all that becomes wasm |
//! | [`actions`] | what forms and islands call, with script or without |
//! | `data` | products, baskets and orders: cached reads, and writes that invalidate them |
//! | `seed` | the colours, and what the shop derives from each |

#[cfg(any(feature = "server", feature = "hydrate"))]
#[expect(
    missing_docs,
    reason = "`#[server]` makes a public field of each argument, and takes no words for it"
)]
pub mod actions;
#[cfg(any(feature = "server", feature = "edge"))]
pub mod hooks;
#[cfg(any(feature = "server", feature = "hydrate"))]
pub mod islands;

#[cfg(feature = "server")]
pub mod app;
#[cfg(feature = "server")]
mod components;
#[cfg(feature = "server")]
mod data;
#[cfg(feature = "server")]
mod pages;
#[cfg(feature = "server")]
mod seed;

#[cfg(feature = "hydrate")]
pub use tropos::hydrate;

#[cfg(feature = "edge")]
tropos::edge::worker!(|vars| {
    let https = vars.get("TROPOS_ORIGIN").is_some_and(|origin| origin.starts_with("https:"));
    hooks::hooks(hooks::sessions(vars.get("TROPOS_SECRET"), https))
});
