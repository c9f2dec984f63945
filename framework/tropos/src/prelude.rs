//! What most files of an application use: `use tropos::prelude::*;`.

pub use crate::{PageError, answer::OrNotFound as _};
pub use leptos::prelude::*;
pub use leptos_meta::{Link, Meta, MetaTags, Stylesheet, Title};

#[cfg(feature = "server")]
pub use crate::{
    App, Db, Group, IntoPage as _, Page as _, PageResult, Path, Query, asset, cached, fetch, page, redirect,
    revalidate, routes,
};
