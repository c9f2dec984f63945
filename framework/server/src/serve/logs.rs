//! Logs: JSON lines in production, readable text in development.

use crate::{Config, dev};
use std::fmt;
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Json, Writer},
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};
use tropos_telemetry::trace;

/// Starts logging, unless the program does already.
pub(super) fn start(config: &Config) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|error| {
        eprintln!("TROPOS_LOG: {error}; logging at `info`");
        EnvFilter::new("info")
    });
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // Each layer has a filter of its own: what is recorded does not depend on what is logged.
    let registry = tracing_subscriber::registry()
        .with(config.dev.as_ref().map(|_| dev::layer()))
        .with(trace::layer(config.telemetry().records()));
    let started = match config.production {
        true => {
            let format = tracing_subscriber::fmt::format().json();
            let format = WithTrace(format.flatten_event(true).with_current_span(false));
            registry.with(lines.json().event_format(format).with_filter(filter)).try_init()
        }
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

/// JSON lines that name the trace within which they are written, as `trace_id` and `span_id`: the names by which OpenTelemetry has logs
/// in other forms than its own refer to traces.
struct WithTrace(Format<Json>);

impl<S, N> FormatEvent<S, N> for WithTrace
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        cx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(current) = trace::current() else { return self.0.format_event(cx, writer, event) };
        let mut line = String::new();
        self.0.format_event(cx, Writer::new(&mut line), event)?;
        let context = current.context();
        match line.strip_prefix('{') {
            Some(rest) => {
                let (trace, span) = (context.trace, context.span);
                write!(writer, "{{\"trace_id\":\"{trace}\",\"span_id\":\"{span}\",{rest}")
            }
            None => writer.write_str(&line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io,
        sync::{Arc, Mutex},
    };
    use tropos_core::ManualClock;

    static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

    struct Kept;

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            LINES.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_within_a_request_name_its_trace_and_others_none() {
        let format = WithTrace(tracing_subscriber::fmt::format().json().flatten_event(true));
        let lines = tracing_subscriber::fmt::layer().json().event_format(format).with_writer(|| Kept);
        let lines = lines.with_filter(EnvFilter::new("info"));
        tracing_subscriber::registry().with(trace::layer(false)).with(lines).init();
        let tracer = trace::Tracer::off(Arc::new(ManualClock::new()));
        let guard = tracer.begin(&http::Method::GET, &http::HeaderMap::new());
        let span = guard.trace().enter(|| tracing::debug_span!(target: "tropos::request", "request"));
        span.in_scope(|| tracing::info!("within"));
        tracing::info!("without");
        let text = String::from_utf8(LINES.lock().unwrap().clone()).unwrap();
        let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        let [within, without] = text.lines().map(read).collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(within["trace_id"], guard.trace().id().to_string(), "{text}");
        assert_eq!((&within["message"], without.get("trace_id")), (&"within".into(), None));
    }
}
