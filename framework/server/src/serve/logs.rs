//! Logs: JSON lines in production, readable text in development.

use crate::Config;
use tracing_subscriber::{EnvFilter, fmt};

/// Starts logging, unless the program does already.
pub(super) fn start(config: &Config) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|error| {
        eprintln!("TROPOS_LOG: {error}; logging at `info`");
        EnvFilter::new("info")
    });
    let base = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.production {
        true => base.json().flatten_event(true).with_current_span(false).try_init(),
        false => base.compact().with_target(false).try_init(),
    };
    // An application may have its own subscriber; then that one gets the events.
    drop(started);
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, panic = panic.payload_as_str().unwrap_or("(no message)"), "panicked");
        if !tracing::dispatcher::has_been_set() {
            default(panic);
        }
    }));
}
