//! What an application writes: pages, their routes, and what they may read.
//!
//! | module | holds |
//! |---|---|
//! | [`mode`] | the modes as types, by which the compiler checks what a page may read |
//! | [`extract`] | what a page may read |
//! | [`route`] | a page's declaration: path, mode, ages, tags |
//! | [`params`] | typed path parameters, and addresses made of them |
//! | `inputs` | what a render is given besides its path: query and variants |
//! | [`listing`] | the functions that say which pages to make at build |
//! | [`view`] | what a page gives |

pub mod extract;
pub(crate) mod inputs;
pub mod listing;
pub mod mode;
pub mod params;
pub mod route;
pub mod view;

pub use extract::{AppCx, FromPage, PageCx};
pub use params::{Href, Path, PathParams};
pub use route::{Page, Route, RouteSpec};
pub use view::{IntoPage, PageResult, PageView};
