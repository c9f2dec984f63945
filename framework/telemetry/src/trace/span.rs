//! A trace that is over, as far as this process made it.

use super::{
    context::{SpanContext, SpanId, TraceId},
    sampling::Kept,
};
use std::borrow::Cow;

/// Nanoseconds since 1970, as OTLP has moments.
pub type UnixNanos = u64;

/// A short text, mostly one that is in the program anyway.
pub type Text = Cow<'static, str>;

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A text.
    Text(Text),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

/// A name and a value.
pub type Attribute = (&'static str, Value);

/// What a span stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Work of this process.
    #[default]
    Internal,
    /// An answer to somebody.
    Server,
    /// A question to somebody.
    Client,
}

/// Something at one moment of a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What happened.
    pub name: Text,
    /// When.
    pub at: UnixNanos,
    /// More of it.
    pub attributes: Vec<Attribute>,
}

/// One piece of work.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its id.
    pub id: SpanId,
    /// Within which it was done; for the first span of a trace, the caller's.
    pub parent: Option<SpanId>,
    /// As it is shown: of few values.
    pub name: Text,
    /// What it is, by the name of `names::spans`; the same for all of a sort.
    pub sort: &'static str,
    /// What it stands for.
    pub kind: Kind,
    /// When it began.
    pub start: UnixNanos,
    /// When it ended; the same as the beginning, while it has not.
    pub end: UnixNanos,
    /// What there is to say of it.
    pub attributes: Vec<Attribute>,
    /// What happened in it.
    pub events: Vec<Event>,
    /// What it was caused by, in other traces.
    pub links: Vec<SpanContext>,
    /// Why it failed, if it did; may be empty.
    pub failure: Option<String>,
    /// Attributes, events and links that had no room.
    pub left_out: [u32; 3],
}

impl Span {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// How long it took, in nanoseconds.
    pub fn took(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// The memory that it takes, about, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let attributes = |attributes: &[Attribute]| -> usize {
            let of = |(_, value): &Attribute| {
                std::mem::size_of::<Attribute>()
                    + match value {
                        Value::Text(Cow::Owned(text)) => text.capacity(),
                        _ => 0,
                    }
            };
            attributes.iter().map(of).sum()
        };
        let events =
            self.events.iter().map(|event| std::mem::size_of::<Event>() + attributes(&event.attributes));
        std::mem::size_of::<Self>()
            + self.name.len()
            + attributes(&self.attributes)
            + events.sum::<usize>()
            + self.links.len() * std::mem::size_of::<SpanContext>()
            + self.failure.as_ref().map_or(0, String::capacity)
    }
}

/// A trace that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Its id.
    pub id: TraceId,
    /// `tracestate` of the caller.
    pub state: String,
    /// Whether the caller, if there was one, and this process keep it by the sampler.
    pub sampled: bool,
    /// Why it is kept.
    pub kept: Kept,
    /// The first is that of the request, or of what went on in the background; the others in the order of their beginnings.
    pub spans: Vec<Span>,
    /// Spans that had no room.
    pub left_out: u32,
}

impl Trace {
    /// The span of the request, or of what went on in the background.
    pub fn root(&self) -> Option<&Span> {
        self.spans.first()
    }

    /// The memory that it takes, about, in bytes.
    pub fn bytes(&self) -> usize {
        std::mem::size_of::<Self>() + self.state.len() + self.spans.iter().map(Span::bytes).sum::<usize>()
    }
}
