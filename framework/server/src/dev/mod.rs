//! What is watched while an application is being written, and the mode advisor.
//!
//! | module | holds |
//! |---|---|
//! | `record` | what is known of one answer, or of one render in the background |
//! | `ring` | the last of them, and what all watching shares |
//! | `layer` | how spans of queries, fetches and cached functions get into records |
//! | `answer` | a page's answer while it is watched |
//! | `html` | islands and the hash of a body |
//! | `why` | the cache's words in plain language |
//! | `events` | panics and failed renders, as they happen |
//! | `routes` | the endpoints of the admin listener |
//! | `advice` | which route is declared in a mode that does not suit it |
//!
//! All of it is off unless `TROPOS_DEV` is set, by the dev server alone, or `TROPOS_ADVISE`, for the advisor's counts
//! alone. Off, it costs a page's render some looks at one pointer, and a hit nothing.

mod advice;
mod answer;
mod events;
mod html;
mod layer;
mod record;
mod ring;
mod routes;
mod why;

pub(crate) use answer::{page, rendered, watched};
pub(crate) use events::failed;
pub use layer::layer;
pub(crate) use record::{Part, Recording};
pub(crate) use ring::Watch;
pub(crate) use routes::only_for_this_machine;
pub use routes::router;
