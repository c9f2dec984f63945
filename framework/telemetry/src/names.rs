//! Every name that telemetry gives out: spans and attributes, metrics, units and buckets.

pub mod metrics;
pub mod spans;
