//! A report in Sentry's form.

use super::report::{Breadcrumb, ErrorContext, ErrorReport, Frame, Kind};
use sentry_types::protocol::v7::{
    Breadcrumb as SentryBreadcrumb, ClientSdkInfo, Context, Envelope, EnvelopeHeaders, Event, Exception,
    Frame as SentryFrame, Level, Map, Mechanism, Request, Stacktrace, TraceContext, TraceId,
};
use std::{
    borrow::Cow,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tropos_core::UnixMillis;

/// What sends, by name and version.
pub(super) const AGENT: &str = concat!("tropos/", env!("CARGO_PKG_VERSION"));

/// The envelope of a report, as bytes.
///
/// # Errors
/// Where it cannot be written as JSON.
pub(super) fn envelope(report: &ErrorReport, context: &ErrorContext) -> std::io::Result<Vec<u8>> {
    let event = event(report, context);
    let headers = EnvelopeHeaders::new().with_event_id(event.event_id).with_sent_at(moment(report.at));
    let mut envelope = Envelope::new().with_headers(headers);
    envelope.add_item(event);
    let mut bytes = Vec::new();
    envelope.to_writer(&mut bytes)?;
    Ok(bytes)
}

fn event(report: &ErrorReport, context: &ErrorContext) -> Event<'static> {
    let owned = |text: &Option<String>| text.clone().map(Cow::Owned);
    Event {
        level: level(report.kind),
        platform: Cow::Borrowed(if report.kind == Kind::Browser { "javascript" } else { "rust" }),
        timestamp: moment(report.at),
        transaction: transaction(context),
        release: owned(&context.release),
        environment: owned(&context.environment),
        // The method alone: addresses and headers are the visitor's.
        request: context.method.clone().map(|method| Request { method: Some(method), ..Request::default() }),
        contexts: trace(context)
            .into_iter()
            .map(|trace| ("trace".to_owned(), Context::Trace(Box::new(trace))))
            .collect(),
        breadcrumbs: context.breadcrumbs.iter().map(breadcrumb).collect::<Vec<_>>().into(),
        exception: vec![exception(report)].into(),
        tags: tags(report, context),
        sdk: Some(Cow::Owned(ClientSdkInfo {
            name: "tropos".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            integrations: Vec::new(),
            packages: Vec::new(),
        })),
        ..Event::default()
    }
}

fn level(kind: Kind) -> Level {
    match kind {
        Kind::Panic => Level::Fatal,
        // Nobody has seen an error yet.
        Kind::Regeneration | Kind::Live => Level::Warning,
        _ => Level::Error,
    }
}

/// `GET /products/:id`.
fn transaction(context: &ErrorContext) -> Option<String> {
    let route = context.route.as_deref()?;
    Some(match &context.method {
        Some(method) => format!("{method} {route}"),
        None => route.to_owned(),
    })
}

fn trace(context: &ErrorContext) -> Option<TraceContext> {
    let trace_id: TraceId = context.trace_id.as_deref()?.parse().ok()?;
    let span_id = context.span_id.as_deref().and_then(|id| id.parse().ok());
    Some(TraceContext { trace_id, span_id: span_id.unwrap_or_default(), ..TraceContext::default() })
}

fn tags(report: &ErrorReport, context: &ErrorContext) -> Map<String, String> {
    let mut tags = Map::from([("tropos.kind".to_owned(), report.kind.as_str().to_owned())]);
    if let Some(mode) = context.mode {
        tags.insert("tropos.mode".to_owned(), mode.to_owned());
    }
    if let Some(route) = &context.route {
        tags.insert("http.route".to_owned(), route.clone());
    }
    if let Some(trace) = &context.trace_id {
        tags.insert("trace_id".to_owned(), trace.clone());
    }
    for (experiment, variant) in &context.experiments {
        tags.insert(format!("experiment.{experiment}"), variant.clone());
    }
    tags
}

fn exception(report: &ErrorReport) -> Exception {
    let mechanism = match report.kind {
        Kind::Panic => "panic",
        Kind::Browser => "onerror",
        _ => "generic",
    };
    // Sentry's are in the order of the calls: the innermost last.
    let frames: Vec<SentryFrame> = report.frames.iter().rev().map(frame).collect();
    Exception {
        ty: report.type_name.clone(),
        value: Some(report.message.clone()),
        stacktrace: (!frames.is_empty()).then(|| Stacktrace { frames, ..Stacktrace::default() }),
        mechanism: Some(Mechanism {
            ty: mechanism.to_owned(),
            handled: Some(!matches!(report.kind, Kind::Panic | Kind::Browser)),
            ..Mechanism::default()
        }),
        ..Exception::default()
    }
}

fn frame(frame: &Frame) -> SentryFrame {
    SentryFrame {
        function: frame.function.clone(),
        filename: frame.file.clone(),
        lineno: frame.line.map(u64::from),
        colno: frame.column.map(u64::from),
        in_app: Some(frame.in_app),
        ..SentryFrame::default()
    }
}

fn breadcrumb(crumb: &Breadcrumb) -> SentryBreadcrumb {
    SentryBreadcrumb {
        timestamp: moment(crumb.at),
        ty: if crumb.category == "query" { "query" } else { "default" }.to_owned(),
        category: Some(crumb.category.clone()),
        level: if crumb.failed { Level::Error } else { Level::Info },
        message: Some(crumb.message.clone()),
        data: crumb.took_ms.map(|ms| ("duration_ms".to_owned(), ms.into())).into_iter().collect(),
    }
}

fn moment(at: UnixMillis) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(at)).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn an_envelope_holds_what_is_known_and_nothing_of_the_visitor() {
        let frames = ["inner", "outer"].map(|name| Frame {
            function: Some(name.to_owned()),
            file: Some("src/a.rs".to_owned()),
            line: Some(3),
            in_app: true,
            ..Frame::default()
        });
        let report = ErrorReport::new(Kind::Page, "sqlx::Error", "no such table", 1_700_000_000_500)
            .with_frames(frames.to_vec());
        let context = ErrorContext {
            route: Some("/products/:id".to_owned()),
            mode: Some("isr"),
            method: Some("GET".to_owned()),
            trace_id: Some("0af7651916cd43dd8448eb211c80319c".to_owned()),
            span_id: Some("b7ad6b7169203331".to_owned()),
            experiments: vec![("button".to_owned(), "bold".to_owned())],
            breadcrumbs: vec![Breadcrumb {
                at: 1_700_000_000_000,
                category: "query".to_owned(),
                message: "SELECT products".to_owned(),
                took_ms: Some(12),
                failed: true,
            }],
            release: Some("shop@1.4.0".to_owned()),
            environment: Some("production".to_owned()),
        };
        let bytes = envelope(&report, &context).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [head, item, event] = lines.as_slice() else { panic!("{text}") };
        let id = head["event_id"].as_str().unwrap().replace('-', "");
        assert_eq!(event["event_id"], id);
        assert_eq!(item["type"], "event");
        for (pointer, value) in [
            ("/transaction", "GET /products/:id"),
            ("/release", "shop@1.4.0"),
            ("/environment", "production"),
            ("/contexts/trace/trace_id", "0af7651916cd43dd8448eb211c80319c"),
            ("/contexts/trace/span_id", "b7ad6b7169203331"),
            ("/exception/values/0/type", "sqlx::Error"),
            ("/exception/values/0/value", "no such table"),
            ("/exception/values/0/stacktrace/frames/1/function", "inner"),
            ("/breadcrumbs/values/0/category", "query"),
            ("/breadcrumbs/values/0/level", "error"),
            ("/tags/tropos.kind", "page"),
            ("/tags/experiment.button", "bold"),
            ("/request/method", "GET"),
            ("/platform", "rust"),
        ] {
            assert_eq!(event.pointer(pointer).and_then(Value::as_str), Some(value), "{pointer} in {text}");
        }
        let request = event["request"].as_object().unwrap();
        assert_eq!(request.len(), 1, "nothing but the method: {request:?}");
        assert!(event.get("user").is_none() && event.get("server_name").is_none());
        assert_eq!(event["timestamp"].as_f64(), Some(1_700_000_000.5));
    }
}
