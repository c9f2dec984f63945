//! What a page gives.

use leptos::{IntoView, prelude::AnyView, prelude::IntoAny};
use std::fmt;
use tropos_core::PageError;

/// The body of a page, to be put into its layouts and the shell.
pub struct PageView(AnyView);

/// What a page function returns: a view, or why there is none.
pub type PageResult = Result<PageView, PageError>;

impl PageView {
    /// Any Leptos view.
    pub fn new(view: impl IntoView + 'static) -> Self {
        Self(view.into_any())
    }

    pub(crate) fn into_inner(self) -> AnyView {
        self.0
    }
}

/// Ends a page: `view! { … }.into_page()`.
pub trait IntoPage: IntoView + Sized + 'static {
    /// The view as a page's result.
    ///
    /// # Errors
    /// None; the result is what a page returns.
    fn into_page(self) -> PageResult {
        Ok(PageView::new(self))
    }
}

impl<V: IntoView + 'static> IntoPage for V {}

impl fmt::Debug for PageView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageView")
    }
}
