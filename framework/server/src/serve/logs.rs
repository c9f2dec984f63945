//! Logs: JSON lines in production, readable text in development.

use crate::{Config, dev};
use tracing_subscriber::{
    EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// Starts logging, unless the program does already.
pub(super) fn start(config: &Config) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|error| {
        eprintln!("TROPOS_LOG: {error}; logging at `info`");
        EnvFilter::new("info")
    });
    let lines = fmt::layer().with_writer(std::io::stderr);
    // Each layer has a filter of its own: what is recorded does not depend on what is logged.
    let registry = tracing_subscriber::registry().with(config.dev.as_ref().map(|_| dev::layer()));
    let started = match config.production {
        true => registry
            .with(lines.json().flatten_event(true).with_current_span(false).with_filter(filter))
            .try_init(),
        false => registry.with(lines.compact().with_target(false).with_filter(filter)).try_init(),
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
