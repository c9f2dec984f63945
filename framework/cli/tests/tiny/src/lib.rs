//! An application whose data are files, so that a test changes what pages hold without compiling.

pub mod islands;
#[cfg(feature = "server")]
pub mod pages;

#[cfg(feature = "hydrate")]
pub use tropos::hydrate;
