//! An application of one page with an island.

pub mod islands;
#[cfg(feature = "server")]
pub mod pages;

#[cfg(feature = "hydrate")]
pub use tropos::hydrate;
