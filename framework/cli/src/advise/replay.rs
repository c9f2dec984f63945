//! Sends the requests of a sample to a running application.

use crate::{Error, server};
use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// Requests at a time: enough to keep two cores busy, and no load test.
const AT_A_TIME: usize = 4;

/// As long as a page may take until its head.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The cookies of the visitors by turns. A page that reads cookies only sometimes, or answers each visitor otherwise, must
/// have been asked by several; a log has none of theirs.
const VISITORS: [Option<&str>; 3] = [None, Some("tropos_advise=1"), Some("tropos_advise=2")];

/// What became of them.
pub(super) struct Done {
    pub(super) sent: usize,
    /// Those that were not answered, or with an error of the server.
    pub(super) failed: usize,
}

/// Sends them all, in about their order, and reads the answers to their ends.
///
/// # Errors
/// Where the first one is not answered.
pub(super) fn send(application: &str, paths: &[String]) -> Result<Done, Error> {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let agent = server::agent(TIMEOUT);
    let one = |at: usize, path: &str| -> Result<u16, ureq::Error> {
        let mut request = agent.get(server::address(application, path)).header("accept", "text/html");
        if let Some(cookie) = VISITORS.get(at % VISITORS.len()).copied().flatten() {
            request = request.header("cookie", cookie);
        }
        let mut response = request.call()?;
        io::copy(&mut response.body_mut().as_reader(), &mut io::sink())?;
        Ok(response.status().as_u16())
    };
    if let Some(first) = paths.first() {
        one(0, first).map_err(|error| Error::Unreachable {
            url: server::address(application, first),
            why: error.to_string(),
        })?;
    }
    let turn = || {
        loop {
            // The first has been sent, to see whether anybody answers.
            let at = next.fetch_add(1, Ordering::Relaxed) + 1;
            let Some(path) = paths.get(at) else { return };
            if !matches!(one(at, path), Ok(status) if status < 500) {
                failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|threads| {
        (0..AT_A_TIME).for_each(|_| drop(threads.spawn(turn)));
    });
    Ok(Done { sent: paths.len(), failed: failed.into_inner() })
}
