//! Traces as OTLP has them. Pure.

use super::context::SpanContext;
use super::span::{Attribute, Event, Kind, Span, Trace, Value};
use crate::errors::scrub;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span as SpanOut, Status,
        span::{Event as EventOut, Link, SpanKind},
        status::StatusCode,
    },
};
use std::sync::Arc;

/// That it is known whether the parent is of another process, and that it is (`SpanFlags`).
const KNOWS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// What speaks, in the form of OTLP: for both signals.
pub fn resource(attributes: &[(String, String)]) -> Resource {
    let attributes = attributes.iter().map(|(name, value)| text(name, value.clone())).collect();
    Resource { attributes, ..Resource::default() }
}

/// What makes spans and series.
pub fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "tropos".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..InstrumentationScope::default()
    }
}

/// One message with all spans of these traces.
pub(crate) fn request(resource: &Resource, traces: &[Arc<Trace>]) -> ExportTraceServiceRequest {
    let spans =
        traces.iter().flat_map(|trace| trace.spans.iter().map(|span| span_out(trace, span))).collect();
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource.clone()),
            scope_spans: vec![ScopeSpans { scope: Some(scope()), spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    }
}

fn span_out(trace: &Trace, span: &Span) -> SpanOut {
    let is_root = trace.root().is_some_and(|root| root.id == span.id);
    let remote = if is_root && span.parent.is_some() { IS_REMOTE } else { 0 };
    let [attributes, events, links] = span.left_out;
    SpanOut {
        trace_id: trace.id.bytes().to_vec(),
        span_id: span.id.bytes().to_vec(),
        trace_state: trace.state.clone(),
        parent_span_id: span.parent.map(|id| id.bytes().to_vec()).unwrap_or_default(),
        flags: u32::from(trace.sampled) | KNOWS_REMOTE | remote,
        name: span.name.to_string(),
        kind: match span.kind {
            Kind::Internal => SpanKind::Internal,
            Kind::Server => SpanKind::Server,
            Kind::Client => SpanKind::Client,
        } as i32,
        start_time_unix_nano: span.start,
        end_time_unix_nano: span.end,
        attributes: span.attributes.iter().map(attribute).collect(),
        dropped_attributes_count: attributes,
        events: span.events.iter().map(event).collect(),
        dropped_events_count: events,
        links: span.links.iter().map(link).collect(),
        dropped_links_count: links,
        status: span
            .failure
            .as_ref()
            .map(|message| Status { message: clean(message), code: StatusCode::Error as i32 }),
    }
}

/// Whether a trace has words of a failure, which are scrubbed: it may take a while.
pub(crate) fn has_words(trace: &Trace) -> bool {
    let of_event = |event: &Event| event.attributes.iter().any(|(name, _)| WORDS.contains(name));
    let of_span = |span: &Span| {
        span.failure.as_ref().is_some_and(|words| !words.is_empty()) || span.events.iter().any(of_event)
    };
    trace.spans.iter().any(of_span)
}

/// Attributes of events that hold what somebody wrote of a failure, and perhaps of whom it concerned.
const WORDS: [&str; 2] = ["exception.message", "exception.stacktrace"];

fn event(event: &Event) -> EventOut {
    EventOut {
        time_unix_nano: event.at,
        name: event.name.to_string(),
        attributes: event.attributes.iter().map(of_event).collect(),
        dropped_attributes_count: 0,
    }
}

fn link(to: &SpanContext) -> Link {
    Link {
        trace_id: to.trace.bytes().to_vec(),
        span_id: to.span.bytes().to_vec(),
        flags: u32::from(to.sampled) | KNOWS_REMOTE,
        ..Link::default()
    }
}

fn clean(words: &str) -> String {
    match words {
        // Most failures are told by their type alone: for them no rule is looked at, nor made.
        "" => String::new(),
        words => scrub(words),
    }
}

fn of_event(of: &Attribute) -> KeyValue {
    match of {
        (name, Value::Text(words)) if WORDS.contains(name) => text(name, clean(words)),
        other => attribute(other),
    }
}

fn attribute((name, value): &Attribute) -> KeyValue {
    let value = match value {
        Value::Text(value) => any_value::Value::StringValue(value.to_string()),
        Value::Int(value) => any_value::Value::IntValue(*value),
        Value::Float(value) => any_value::Value::DoubleValue(*value),
        Value::Bool(value) => any_value::Value::BoolValue(*value),
    };
    key_value(name, value)
}

fn text(name: &str, value: String) -> KeyValue {
    key_value(name, any_value::Value::StringValue(value))
}

fn key_value(name: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: name.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{
        context::{SpanId, TraceId},
        sampling::Kept,
    };

    #[test]
    fn a_trace_is_sent_with_its_parents_links_and_failures() {
        let id = |number| SpanId::new(number).unwrap();
        let cause = SpanContext { trace: TraceId::new(9).unwrap(), span: id(8), sampled: true };
        let root = Span {
            id: id(2),
            parent: Some(id(1)),
            name: "GET /a/:b".into(),
            sort: "request",
            kind: Kind::Server,
            start: 10,
            end: 30,
            attributes: vec![
                ("http.route", "/a/:b".into()),
                ("http.response.status_code", 500.into()),
                ("x", 0.5.into()),
                ("y", true.into()),
            ],
            events: vec![Event { name: "e".into(), at: 12, attributes: vec![("n", 1.into())] }],
            links: vec![cause],
            failure: Some(String::new()),
            left_out: [1, 2, 3],
        };
        let child = Span {
            id: id(3),
            parent: Some(id(2)),
            kind: Kind::Client,
            failure: None,
            links: Vec::new(),
            ..root.clone()
        };
        let trace = Arc::new(Trace {
            id: TraceId::new(7).unwrap(),
            state: "a=1".into(),
            sampled: true,
            kept: Kept::Sampled,
            spans: vec![root, child],
            left_out: 0,
        });
        let sent = request(&resource(&[("service.name".into(), "shop".into())]), &[trace]);
        let of = &sent.resource_spans[0];
        assert_eq!(of.resource.as_ref().unwrap().attributes[0].key, "service.name");
        let [root, child] = of.scope_spans[0].spans.as_slice() else { panic!("two spans") };
        assert_eq!((root.parent_span_id.as_slice(), root.flags), (&[0, 0, 0, 0, 0, 0, 0, 1][..], 0x301));
        assert_eq!((child.parent_span_id.as_slice(), child.flags), (&[0, 0, 0, 0, 0, 0, 0, 2][..], 0x101));
        assert_eq!((root.kind, child.kind), (SpanKind::Server as i32, SpanKind::Client as i32));
        assert_eq!(
            (root.trace_id.len(), root.trace_state.as_str(), root.name.as_str()),
            (16, "a=1", "GET /a/:b")
        );
        assert_eq!((root.start_time_unix_nano, root.end_time_unix_nano), (10, 30));
        assert_eq!(root.status.as_ref().map(|status| status.code), Some(2));
        assert_eq!(child.status, None);
        assert_eq!(root.links[0].span_id, [0, 0, 0, 0, 0, 0, 0, 8]);
        assert_eq!(root.events[0].name, "e");
        assert_eq!(
            (root.dropped_attributes_count, root.dropped_events_count, root.dropped_links_count),
            (1, 2, 3)
        );
        assert_eq!(root.attributes.len(), 4);
    }

    #[test]
    fn words_of_failures_are_scrubbed_before_they_are_sent() {
        let words = "no basket for ada@example.org at /basket?step=2";
        let clean = "no basket for [email] at /basket?[removed]";
        let event = |name| Event {
            name: "exception".into(),
            at: 12,
            attributes: vec![(name, words.to_owned().into())],
        };
        let span = |failure: Option<&str>, events| Span {
            id: SpanId::new(2).unwrap(),
            parent: None,
            name: "GET /".into(),
            sort: "request",
            kind: Kind::Server,
            start: 10,
            end: 30,
            attributes: Vec::new(),
            events,
            links: Vec::new(),
            failure: failure.map(str::to_owned),
            left_out: [0; 3],
        };
        let trace = |span| Trace {
            id: TraceId::new(7).unwrap(),
            state: String::new(),
            sampled: true,
            kept: Kept::Sampled,
            spans: vec![span],
            left_out: 0,
        };
        for (name, span, has, status, of_event) in [
            ("a status", span(Some(words), vec![]), true, Some(clean), None),
            ("no words", span(Some(""), vec![]), false, Some(""), None),
            ("an event", span(None, vec![event("exception.message")]), true, None, Some(clean)),
            ("its stack", span(None, vec![event("exception.stacktrace")]), true, None, Some(clean)),
            ("what is none", span(None, vec![event("note")]), false, None, Some(words)),
        ] {
            let trace = trace(span);
            assert_eq!(has_words(&trace), has, "{name}");
            let sent = request(&Resource::default(), &[Arc::new(trace)]);
            let span = &sent.resource_spans[0].scope_spans[0].spans[0];
            assert_eq!(span.status.as_ref().map(|status| status.message.as_str()), status, "{name}");
            let words = span.events.first().and_then(|event| event.attributes[0].value.clone());
            let words = words.and_then(|words| words.value);
            let of_event = of_event.map(|text| any_value::Value::StringValue(text.to_owned()));
            assert_eq!(words, of_event, "{name}");
        }
    }
}
