//! The pages.
//!
//! | file | holds |
//! |---|---|
//! | `frame` | the document, the navigation, and what all pages are built of |
//! | `words` | times, sizes and ages as they are read: pure |
//! | the others | one section each |

mod business;
mod cache;
mod database;
mod frame;
mod live;
mod overview;
mod slowest;
mod trace;
mod traces;
mod words;

pub(super) use frame::document;

use super::asked::Asked;
use crate::Site;
use leptos::prelude::AnyView;

/// The one style sheet.
pub(super) const STYLE: &str = include_str!("style.css");

/// The body of a page, as everything stands now.
pub(super) fn body(site: &Site, asked: &Asked, token: &str) -> AnyView {
    let section = match asked {
        Asked::Overview => overview::view(site),
        Asked::Traces(of) => traces::view(site, of),
        Asked::Trace(id) => trace::view(site, *id),
        Asked::Slowest => slowest::view(site),
        Asked::Cache(of) => cache::view(site, of, token),
        Asked::Database => database::view(site),
        Asked::Live => live::view(site),
        Asked::Business => business::view(site),
    };
    frame::around(asked, section)
}
