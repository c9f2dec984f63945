//! What the tests of the server share.

pub mod sentry;

use leptos::prelude::*;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tropos::App;

/// Counts how often something was read.
#[derive(Clone, Debug, Default)]
pub struct Reads(Arc<AtomicUsize>);

#[allow(dead_code, reason = "not every test file reads")]
impl Reads {
    /// One read more; gives how many there were.
    pub fn one(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// How many there were.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A handle, which is no part of a key.
impl tropos::CacheArg for Reads {
    fn add_to_key(&self, _: &mut tropos::KeyArgs) {}
}

/// An application with a plain document.
pub fn app() -> App {
    App::new().shell(|body| {
        view! {
            <!DOCTYPE html>
            <html lang="en">
                <head><meta charset="utf-8"/></head>
                <body>{body}</body>
            </html>
        }
    })
}
