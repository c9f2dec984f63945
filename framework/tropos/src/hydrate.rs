//! The browser's side: what the loader of islands calls once the wasm is there.

use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

#[wasm_bindgen]
extern "C" {
    /// The loader's: reports a panic to the page's server, with the trap that follows.
    #[wasm_bindgen(catch, js_namespace = ["window", "__tropos"])]
    fn panicked(text: &str) -> Result<(), JsValue>;
}

/// Prepares the page for its islands. The loader hands each of them over afterwards.
#[wasm_bindgen]
pub fn hydrate() {
    // A trap alone says neither what went wrong nor where.
    std::panic::set_hook(Box::new(|panic| drop(panicked(&panic.to_string()))));
    leptos::mount::hydrate_islands();
}
