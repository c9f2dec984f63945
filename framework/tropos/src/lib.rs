#![doc = include_str!("../README.md")]

pub use tropos_core::{Mode, PageError, Redirect, Tag, age, answer, tag};
#[cfg(any(feature = "server", feature = "edge"))]
pub use tropos_edge as edge;

#[cfg(any(feature = "server", feature = "hydrate"))]
pub use leptos;
#[cfg(any(feature = "server", feature = "hydrate"))]
pub use leptos_meta;
pub use serde;
#[cfg(any(feature = "server", feature = "hydrate"))]
pub use server_fn;

#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
pub use server::*;

#[cfg(feature = "hydrate")]
mod hydrate;
#[cfg(feature = "hydrate")]
pub use hydrate::hydrate;

#[cfg(any(feature = "server", feature = "hydrate"))]
pub mod prelude;
