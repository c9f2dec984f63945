//! What runs on the server.

pub use tropos_cache::{Engine, Scope, revalidate};
pub use tropos_core::{
    Ages, CacheArg, Failure, KeyArgs, Revalidate, Tags,
    answer::{redirect, redirect_permanently},
    failure::Result,
};
pub use tropos_db::{self as db, Backend, Db, sqlx};
pub use tropos_fetch as fetch;
pub use tropos_macros::{cached, page, routes};
pub use tropos_server::{
    App, Config, Context, Cookies, Dist, Draft, Error, ErrorContext, ErrorKind, ErrorReport, FromApp,
    FromPage, Group, Headers, Href, IntoPage, Page, PageCx, PageResult, PageView, Path, Query, Route,
    Session, Site, State, Variant, asset, business, cookie, draft, extract, live_url, main, mode,
    redirect_after, report, spawn,
};

#[doc(hidden)]
pub mod __private {
    pub use tropos_cache::function::cached;
    pub use tropos_core::pattern::same_paths;
    pub use tropos_server::page::{
        listing::listing,
        route::{RouteSpec, declared_query, declared_variants},
    };
}
