//! The adapter for Workers: hooks compiled to wasm, in front of a CDN's cache.
//!
//! A small script (`cargo tropos build --edge workers` writes it) hands each request over as JSON and does what comes back: it answers, or
//! looks in the edge's cache, or asks the origin with a signed [statement](crate::statement) of what was decided.
//!
//! | module | holds |
//! |---|---|
//! | [`decide`](mod@decide) | one request, from JSON to JSON |
//! | [`routes`] | which page a path leads to, from what the build says |
//! | `js` | what the script calls, and what it offers to hooks; in wasm alone |

pub mod decide;
#[cfg(target_arch = "wasm32")]
mod js;
pub mod routes;

pub use decide::{Asked, Decided, Settings, Worker};
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use js::install;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use wasm_bindgen;

use serde::Deserialize;
use std::collections::BTreeMap;

/// The texts of the Worker's environment: its variables and secrets.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Vars(BTreeMap<String, String>);

impl Vars {
    /// The variable of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Vars {
    fn from(vars: [(&str, &str); N]) -> Self {
        Self(vars.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// Has a Worker run these hooks: a function of the Worker's [`Vars`]. To be written once, in the application's library, under its
/// feature `edge`.
///
/// ```ignore
/// #[cfg(feature = "edge")]
/// tropos::edge::worker!(|vars| hooks::hooks(vars.get("SESSION_SECRET")));
/// ```
#[macro_export]
macro_rules! worker {
    ($hooks:expr) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[$crate::worker::wasm_bindgen::prelude::wasm_bindgen(start, wasm_bindgen = $crate::worker::wasm_bindgen)]
            pub fn tropos_edge_start() {
                $crate::worker::install($hooks);
            }
        };
    };
}
