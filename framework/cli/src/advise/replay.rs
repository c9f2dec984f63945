//! Sends the requests of a sample to a running application.

use crate::{Error, server};
use std::{
    collections::HashMap,
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

/// Whose turn it is for each path: another's each time, and not the same one's for all paths that are asked for once.
fn visitors(paths: &[String]) -> Vec<Option<&'static str>> {
    let mut turns: HashMap<&String, usize> = HashMap::new();
    let mut all = Vec::with_capacity(paths.len());
    for path in paths {
        let first = path.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let turn = turns.entry(path).or_insert(first);
        *turn = turn.wrapping_add(1);
        all.push(VISITORS.get(*turn % VISITORS.len()).copied().flatten());
    }
    all
}

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
    let (agent, visitors) = (server::agent(TIMEOUT), visitors(paths));
    let one = |at: usize, path: &str| -> Result<u16, ureq::Error> {
        let mut request = agent.get(server::address(application, path)).header("accept", "text/html");
        if let Some(cookie) = visitors.get(at).copied().flatten() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_path_is_asked_by_all_visitors_and_paths_that_come_once_are_shared_among_them() {
        let round = ["/a", "/b", "/c"].map(str::to_owned);
        let paths: Vec<String> = round.iter().cycle().take(9).cloned().collect();
        let given = visitors(&paths);
        for path in &round {
            let of_path =
                paths.iter().zip(&given).filter(|(asked, _)| *asked == path).map(|(_, visitor)| *visitor);
            assert_eq!(of_path.collect::<HashSet<_>>().len(), VISITORS.len(), "{path}");
        }
        let once: Vec<String> = (0..30).map(|at| format!("/p/{at}")).collect();
        assert_eq!(visitors(&once).into_iter().collect::<HashSet<_>>().len(), VISITORS.len());
    }
}
