//! Live pages: a page that is open in a browser and follows its data.
//!
//! The first HTML of a live page is a plain render. Then the page opens one event stream. When a tag that the page read
//! is invalidated, the page renders again, and what changed goes out with a version.
//!
//! | module | holds |
//! |---|---|
//! | [`diff`] | what changed between two renders, and the message that says so |
//! | [`html`] | where one tag, comment or text ends and the next begins |
//! | [`version`] | the name of a render, and what a page that connects knows already |
//! | [`hub`] | who watches which page; one render a change for all who watch the same |
//! | [`pending`] | first renders, kept until their page connects |
//! | [`scripts`] | what runs in the browser: applying a message, hydrating islands |
//!
//! # Guarantees
//!
//! 1. **Nothing is lost between render and subscribe.** A render takes its mark before its first read, and
//!    [`Source::changed`] resolves at once for what was invalidated since that mark.
//! 2. **Nothing goes back.** A page that connects is never sent a render that was outdated when it connected.
//! 3. **The last change is always sent**, however many came before it; what a slow reader has missed in between is not
//!    queued for it.
//! 4. **All is bounded**: watchers, keys, renders at a time, and the bytes of [`Pending`].
//! 5. **A failing render changes nothing** in an open page. It is tried again after 1 s, doubling to 30 s.
//!
//! The crate knows neither the web server nor the renderer nor the cache: it is given HTML and told of changes.

pub mod diff;
mod error;
pub mod html;
pub mod hub;
pub mod pending;
pub mod scripts;
pub mod version;

pub use diff::{Message, Patch};
pub use error::Error;
pub use hub::{Event, Hub, Limits, Pace, Rendered, Source, Subscription};
pub use pending::Pending;
pub use scripts::{ISLANDS_JS, LIVE_JS};
pub use version::{Since, Version};
