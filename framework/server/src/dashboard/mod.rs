//! The dashboard: what this instance does, shown to who runs it.
//!
//! On the admin listener alone, in development, and in production where `TROPOS_DASHBOARD=1`. Its pages are made as those of
//! mode `live` are: the first HTML is a plain render, then the open page is sent what has changed. Nothing invalidates
//! them, though, since nothing that they show is data with a tag: they look again every second, while somebody has
//! them open.
//!
//! | file | holds |
//! |---|---|
//! | `asked` | which page is asked for, by its address: pure |
//! | `facts` | what the pages show, gathered from the parts that know it |
//! | `view` | the pages |
//! | `stream` | the stream of changes behind an open page |
//! | `routes` | the endpoints, and whom they answer |
//!
//! All is bounded: traces by their ring, series by the registry, a look at the cache by the entries that it reads, streams by
//! the hub. What is left out is said on the page.

mod asked;
mod facts;
mod routes;
mod stream;
mod view;

pub use routes::router;

use crate::config::Config;

impl Config {
    /// Whether the admin listener has a dashboard.
    pub(crate) fn has_dashboard(&self) -> bool {
        self.dashboard || self.dev.is_some()
    }
}
