//! Makes the pages of a build, and hands them out.

mod export;
mod measure;
mod prerender;

pub(crate) use export::export;
pub(crate) use prerender::{Options, prerender};
