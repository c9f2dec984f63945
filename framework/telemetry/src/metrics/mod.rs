//! The registry of all series, and its text form.
//!
//! | file | holds |
//! |---|---|
//! | `series` | the numbers of one series, in stripes so that threads do not write to one cache line |
//! | `registry` | which series there are, bounded, and what is read when somebody asks |
//! | `snapshot` | all numbers at one moment: what both forms are made of |
//! | `text` | the form that Prometheus scrapes |
//! | [`otlp`], `push` | the form of OTLP, and sending it |

pub mod otlp;
mod push;
mod registry;
mod series;
mod snapshot;
mod text;

pub use push::Push;
pub use registry::{MOST_SERIES, Observed, Registry};
pub use series::{Counter, Histogram, UpDown};
pub use snapshot::{Family, Point, Snapshot, Value};
pub use text::{CONTENT_TYPE, text};

#[cfg(test)]
pub(crate) use series::SLOTS;
