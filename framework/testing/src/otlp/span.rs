//! A span as it came.

use std::collections::BTreeMap;
use tropos_telemetry::export::proto::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};

/// A span as it came; ids in hexadecimal digits, attributes as text.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Captured {
    /// The trace.
    pub trace: String,
    /// Its id.
    pub id: String,
    /// Within which it was done.
    pub parent: Option<String>,
    /// Its name.
    pub name: String,
    /// `internal`, `server` or `client`.
    pub kind: &'static str,
    /// When it began, in nanoseconds since 1970.
    pub start: u64,
    /// When it ended, in nanoseconds since 1970.
    pub end: u64,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// Its events, by their names.
    pub events: Vec<String>,
    /// The attributes of each of its events.
    pub of_events: Vec<BTreeMap<String, String>>,
    /// Trace and span of each link.
    pub links: Vec<(String, String)>,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// `tracestate`.
    pub state: String,
    /// Its flags.
    pub flags: u32,
    /// Who speaks.
    pub resource: BTreeMap<String, String>,
}

impl Captured {
    /// The value of an attribute; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map(String::as_str).unwrap_or_default()
    }
}

pub(super) fn all(message: ExportTraceServiceRequest) -> Vec<Captured> {
    let of_resource = message.resource_spans.into_iter().flat_map(|of| {
        let resource = attributes(&of.resource.unwrap_or_default().attributes);
        let spans = of.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.map(move |span| captured(span, resource.clone())).collect::<Vec<_>>()
    });
    of_resource.collect()
}

fn captured(span: Span, resource: BTreeMap<String, String>) -> Captured {
    Captured {
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: Some(hex(&span.parent_span_id)).filter(|id| !id.is_empty()),
        kind: match SpanKind::try_from(span.kind) {
            Ok(SpanKind::Internal) => "internal",
            Ok(SpanKind::Server) => "server",
            Ok(SpanKind::Client) => "client",
            _ => "other",
        },
        name: span.name,
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        attributes: attributes(&span.attributes),
        of_events: span.events.iter().map(|event| attributes(&event.attributes)).collect(),
        events: span.events.into_iter().map(|event| event.name).collect(),
        links: span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
        error: span
            .status
            .filter(|status| status.code == StatusCode::Error as i32)
            .map(|status| status.message),
        state: span.trace_state,
        flags: span.flags,
        resource,
    }
}

fn attributes(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |pair: &KeyValue| {
        let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
        match value {
            Some(Value::StringValue(text)) => text.clone(),
            Some(Value::IntValue(number)) => number.to_string(),
            Some(Value::DoubleValue(number)) => number.to_string(),
            Some(Value::BoolValue(yes)) => yes.to_string(),
            other => format!("{other:?}"),
        }
    };
    attributes.iter().map(|pair| (pair.key.clone(), text(pair))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
