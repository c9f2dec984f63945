//! The browser's side: what the loader of islands calls once the wasm is there.

use wasm_bindgen::prelude::wasm_bindgen;

/// Prepares the page for its islands. The loader hands each of them over afterwards.
#[wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
