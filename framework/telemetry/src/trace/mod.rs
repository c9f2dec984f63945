//! The context of a request, what is recorded of it, and what is kept.
//!
//! | module | holds |
//! |---|---|
//! | [`context`], [`baggage`] | ids, and the headers that carry them |
//! | [`sampling`] | which traces are kept, at their beginning and at their end |
//! | [`span`] | a trace that is over |
//! | `building` | a trace under way |
//! | `recorder` | how spans of `tracing` get into the trace of their request |
//! | `request`, `tracer` | where requests begin and end, and where their traces go |
//! | `current` | the trace within which code runs |
//! | [`ring`] | the last traces, in memory |
//! | [`otlp`] | traces in the form in which they are sent |

pub mod baggage;
mod building;
pub mod context;
mod current;
pub mod otlp;
mod recorder;
mod request;
pub mod ring;
pub mod sampling;
pub mod span;
mod tracer;

pub use context::{SpanContext, SpanId, TraceId};
pub use current::{Current, current, inject};
pub use recorder::layer;
pub use request::{Background, Ended, Guard, Hit, RequestTrace};
pub use span::{Attribute, Kind, Span, Trace, Value};
pub use tracer::Tracer;
