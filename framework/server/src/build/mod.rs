//! Makes the pages of a build.

mod prerender;

pub(crate) use prerender::prerender;
