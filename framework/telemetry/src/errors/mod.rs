//! Errors of an application: reported once, without personal data, to Sentry and to whom the application names.
//!
//! | module | holds |
//! |---|---|
//! | `report` | an error, and what is known of the request in which it happened |
//! | `crumbs` | what was done before, as far as the trace knows |
//! | `scrub` | what is taken out of every text |
//! | `stack` | frames, from what the standard library captures |
//! | `repeats` | how often one and the same is let through |
//! | `browser` | what islands report through the server |
//! | `event` | a report in Sentry's form |
//! | `settings` | where reports go, and by what name |
//! | `reporter`, `worker`, `transport` | the bounded queue, the thread behind it, and what sends |
//!
//! [`Reporter::report`] costs its caller a look into a table and a `try_send`: everything else, stacks included, is done on
//! a thread apart.

mod browser;
mod crumbs;
mod event;
mod repeats;
mod report;
mod reporter;
mod scrub;
mod settings;
mod stack;
mod transport;
mod worker;

pub use browser::{BrowserError, LONGEST_BROWSER_ERROR};
pub use repeats::Repeats;
pub use report::{Breadcrumb, ErrorContext, ErrorReport, Frame, Kind};
pub use reporter::{Counts, Listener, Reporter, observe};
pub use scrub::scrub;
pub use settings::Settings;
