//! What the pages show, gathered from the parts that know it.
//!
//! | file | holds |
//! |---|---|
//! | `requests` | what the ring of traces tells of requests |
//! | `waterfall` | the spans of a trace in the order and at the places in which they are drawn: pure |
//! | `slowest` | routes and queries by their histograms |
//! | `estimate` | percentiles: of histograms by estimate, of samples exactly: pure |
//! | `standing` | the cache, pools, servers and open pages, as they stand |
//! | `trade` | business figures, and latency by what the cache did, minute by minute |

pub(super) mod estimate;
pub(super) mod requests;
pub(super) mod slowest;
pub(super) mod standing;
pub(super) mod trade;
pub(super) mod waterfall;
