//! The spans of a trace in the order and at the places in which they are drawn. Pure.

use std::{collections::HashMap, time::Duration};
use tropos_telemetry::trace::{Span, SpanId, Trace};

/// Deeper ones stand as deep: a name needs some room.
const DEEPEST: usize = 8;

/// One span, as it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Bar<'t> {
    pub(in super::super) span: &'t Span,
    pub(in super::super) depth: usize,
    /// Where it begins, in percent of the whole.
    pub(in super::super) left: f64,
    /// How long it is, in percent of the whole.
    pub(in super::super) width: f64,
    /// How long after the first span it began.
    pub(in super::super) after: Duration,
}

/// The bars of a trace: each span beneath its parent, and those of one parent in the order of their beginnings.
pub(in super::super) fn bars(trace: &Trace) -> Vec<Bar<'_>> {
    let begin = trace.spans.iter().map(|span| span.start).min().unwrap_or_default();
    let end = trace.spans.iter().map(|span| span.end).max().unwrap_or_default();
    let whole = end.saturating_sub(begin).max(1) as f64;
    let known: HashMap<SpanId, usize> =
        trace.spans.iter().enumerate().map(|(at, span)| (span.id, at)).collect();
    let mut beneath: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for (at, span) in trace.spans.iter().enumerate() {
        // The parent of the first is the caller's; that of another may have had no room.
        let parent =
            span.parent.and_then(|parent| known.get(&parent).copied()).filter(|parent| *parent != at);
        beneath.entry(parent).or_default().push(at);
    }
    for spans in beneath.values_mut() {
        spans.sort_by_key(|at| trace.spans.get(*at).map(|span| (span.start, *at)));
    }
    let mut waiting: Vec<(usize, usize)> = Vec::new();
    let push = |waiting: &mut Vec<(usize, usize)>, parent: Option<usize>, depth: usize| {
        let spans = beneath.get(&parent).into_iter().flatten().rev();
        waiting.extend(spans.map(|at| (*at, depth)));
    };
    push(&mut waiting, None, 0);
    let mut bars = Vec::with_capacity(trace.spans.len());
    while let Some((at, depth)) = waiting.pop() {
        let Some(span) = trace.spans.get(at) else { continue };
        let after = span.start.saturating_sub(begin);
        let left = after as f64 / whole * 100.0;
        bars.push(Bar {
            span,
            depth: depth.min(DEEPEST),
            left,
            width: (span.took() as f64 / whole * 100.0).min(100.0 - left),
            after: Duration::from_nanos(after),
        });
        push(&mut waiting, Some(at), depth + 1);
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;
    use tropos_telemetry::trace::{Kind, TraceId};

    fn span(id: u64, parent: Option<u64>, start: u64, end: u64) -> Span {
        Span {
            id: SpanId::new(id).unwrap(),
            parent: parent.and_then(SpanId::new),
            name: id.to_string().into(),
            sort: "query",
            kind: Kind::Internal,
            start,
            end,
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            failure: None,
            left_out: [0; 3],
        }
    }

    fn trace(spans: Vec<Span>) -> Trace {
        let kept = tropos_telemetry::trace::sampling::Kept::Sampled;
        Trace { id: TraceId::new(1).unwrap(), state: String::new(), sampled: true, kept, spans, left_out: 0 }
    }

    #[test]
    fn each_span_stands_beneath_its_parent_at_its_place() {
        let trace = trace(vec![
            span(1, Some(99), 1_000, 2_000),
            span(2, Some(1), 1_500, 2_000),
            span(3, Some(1), 1_100, 1_200),
            span(4, Some(2), 1_600, 1_600),
            span(5, Some(77), 1_700, 1_800),
        ]);
        let drawn: Vec<_> = bars(&trace)
            .iter()
            .map(|bar| {
                (bar.span.name.to_string(), bar.depth, bar.left.round() as u64, bar.width.round() as u64)
            })
            .collect();
        let expected =
            [("1", 0, 0, 100), ("3", 1, 10, 10), ("2", 1, 50, 50), ("4", 2, 60, 0), ("5", 0, 70, 10)];
        let expected: Vec<_> =
            expected.map(|(name, depth, left, width)| (name.to_owned(), depth, left, width)).into();
        assert_eq!(drawn, expected);
    }

    #[test]
    fn nothing_is_drawn_beyond_the_end_or_without_one() {
        assert!(bars(&trace(Vec::new())).is_empty());
        let odd = trace(vec![span(1, Some(1), 5, 5), span(2, Some(1), 0, 5)]);
        for bar in bars(&odd) {
            assert!(bar.left.is_finite() && bar.left + bar.width <= 100.0, "{bar:?}");
        }
        assert_eq!(bars(&odd).len(), 2, "a span that is its own parent stands by itself");
    }

    #[test]
    fn endless_depth_is_drawn_no_deeper() {
        let spans = (1..=200).map(|id| span(id, Some(id - 1), 0, 10)).collect();
        let trace = trace(spans);
        let bars = bars(&trace);
        assert_eq!((bars.len(), bars.iter().map(|bar| bar.depth).max()), (200, Some(DEEPEST)));
    }
}
