//! The one module that knows how Leptos renders.
//!
//! A page is a server component: its own future settles status and headers; then its view, within its layouts and the
//! shell, becomes HTML. Nothing else of Tropos touches an owner, a stream builder or the meta context, so that another
//! version of Leptos is one change here.

mod document;
mod executor;
mod html;

pub(crate) use document::{Assets, BUILT_IN, BuiltIn, Document, Layout};
pub(crate) use executor::install;
pub(crate) use html::{Html, Order, render_now, render_page, render_view};
