//! Tropos on Axum and Leptos: render, dispatch by mode, assets, limits, health, drain.
//!
//! | module | holds |
//! |---|---|
//! | [`page`] | what an application writes |
//! | [`app`] | the application: its pages and what goes around them |
//! | [`config`] | `tropos.toml` and the environment, read once |
//! | `database` | the application's database: opened, brought up to date, filled |
//! | `routing` | which page a path belongs to |
//! | `dispatch` | one request: to which mode it goes, and what is answered |
//! | `render` | the one module that knows how Leptos renders |
//! | `errors`, [`business`] | what goes to telemetry: errors, and figures of the trade |
//! | `site` | everything that answering takes, opened once |
//! | [`draft`] | showing what is not published to those who may see it |
//! | [`dev`] | what is watched while an application is being written, and the mode advisor |
//! | [`dashboard`] | what this instance does, shown to who runs it |
//! | `explain` | why a path would hit or miss |
//! | `dist`, `build` | what a build leaves, and how its pages are made |
//! | `serve` | listeners, health, drain, the program's commands |

pub mod app;
mod build;
pub mod business;
pub mod config;
pub mod dashboard;
mod database;
pub mod dev;
mod dispatch;
mod dist;
mod doctor;
pub mod draft;
mod edge;
pub mod error;
mod errors;
mod explain;
mod meter;
pub mod page;
mod render;
pub mod request;
mod routing;
mod seen;
mod serve;
mod site;
mod statics;
mod traces;

pub use app::{App, Group};
pub use business::spawn;
pub use config::Config;
pub use cookie;
pub use dist::Dist;
pub use error::Error;
pub use errors::report;
pub use page::{
    FromPage, Href, IntoPage, Page, PageCx, PageResult, PageView, Path, Route,
    extract::{AppCx, Context, Draft, Headers, Query, State, Variant, asset, extract, live_url},
    listing::FromApp,
    mode,
};
pub use request::{Cookies, Session, redirect_after};
pub use serve::main;
pub use site::Site;
pub use tropos_telemetry::errors::{
    Breadcrumb, ErrorContext, ErrorReport, Frame as ErrorFrame, Kind as ErrorKind,
};
