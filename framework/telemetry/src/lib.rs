//! What an application does, told: traces, metrics, errors and business figures.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | what was configured, by the standard variables |
//! | [`names`] | every span, attribute, metric and unit: one file, from which the reference is generated |
//! | [`trace`] | the context of a request, what is recorded of it, and what is kept |
//! | [`metrics`] | the registry of all series, and its text form |
//! | [`export`] | both signals on their way to a collector |
//! | [`errors`] | what went wrong, without personal data, to Sentry and to listeners of the application |
//! | [`business`] | figures of the application's own trade |
//!
//! The crate is the only one that knows OpenTelemetry and Sentry. It reads no environment and knows no web server: it is
//! given values and records.

pub mod business;
pub mod config;
mod error;
pub mod errors;
pub mod export;
pub mod metrics;
pub mod names;
pub mod trace;

pub use config::Config;
pub use error::Error;
