//! Bounded waits in real time.

use crate::Error;
use std::{
    thread,
    time::{Duration, Instant},
};

/// The bound of every wait: long enough for a busy machine, short enough that a test which waits in vain ends by itself.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks. A start takes some ten milliseconds.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until `look` finds something; `None` when it has not within `patience`.
pub(crate) fn until<T>(
    patience: Duration,
    mut look: impl FnMut() -> Result<Option<T>, Error>,
) -> Result<Option<T>, Error> {
    #[expect(clippy::disallowed_methods, reason = "programs outside of the test do not know its clock")]
    let started = Instant::now();
    loop {
        match look()? {
            Some(found) => return Ok(Some(found)),
            None if started.elapsed() > patience => return Ok(None),
            None => thread::sleep(PAUSE),
        }
    }
}

/// Runs what blocks on a thread of its own. Tokio does not advance a paused clock meanwhile.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await?
}
