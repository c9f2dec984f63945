//! Error messages that say which route or function they are about.

use quote::ToTokens;
use std::fmt::Display;

/// What an attribute declares: a route by its path, or a cached function by its name.
#[derive(Clone)]
pub(crate) struct Subject(String);

impl Subject {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// An error at `tokens`, of which the message begins with the subject's name.
    pub(crate) fn error(&self, tokens: impl ToTokens, message: impl Display) -> syn::Error {
        syn::Error::new_spanned(tokens, format!("`{}`: {message}", self.0))
    }

    /// As [`Self::error`], at a span.
    pub(crate) fn error_at(&self, span: proc_macro2::Span, message: impl Display) -> syn::Error {
        syn::Error::new(span, format!("`{}`: {message}", self.0))
    }
}

/// All that is wrong with one item, to be reported together.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    pub(crate) fn add(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn append(&mut self, other: Errors) {
        if let Some(error) = other.0 {
            self.add(error);
        }
    }

    /// The value, or nothing and a note of what was wrong.
    pub(crate) fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn finish(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}
