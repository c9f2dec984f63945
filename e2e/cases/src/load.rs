//! Readers who go on and on, while something happens to what they read from.

use crate::{
    check::{Outcome, equal, that},
    client::Client,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

/// Between two reads of one reader: the load is to be steady, not to starve the machine.
const PAUSE: Duration = Duration::from_millis(15);

/// A reader who is told to stop goes on up to so many reads: fewer show nothing, also where all was over quickly.
const LEAST: usize = 25;

/// So many failures are kept word for word.
const KEPT: usize = 5;

/// Readers under way. They stop when this is dropped.
#[derive(Debug)]
pub struct Load {
    readers: JoinSet<Tally>,
    enough: Arc<AtomicBool>,
}

/// What became of the reads.
#[derive(Debug, Default)]
pub struct Tally {
    /// Reads that were answered with 200.
    pub answered: usize,
    /// Reads that were not.
    pub failed: usize,
    /// The first of those.
    pub failures: Vec<String>,
    /// The longest that one took.
    pub slowest: Duration,
}

impl Load {
    /// Starts a reader for each of the servers, who reads the paths in turn, each time as somebody new.
    pub fn start(servers: &[Client], paths: &[String]) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let readers = servers.iter().map(|http| read(http.clone(), paths.to_vec(), enough.clone()));
        Self { readers: readers.collect(), enough }
    }

    /// Ends it.
    pub async fn stop(self) -> Tally {
        self.enough.store(true, Ordering::Relaxed);
        self.readers.join_all().await.into_iter().fold(Tally::default(), Tally::and)
    }
}

async fn read(http: Client, paths: Vec<String>, enough: Arc<AtomicBool>) -> Tally {
    let (mut tally, started) = (Tally::default(), Instant::now());
    for path in paths.iter().cycle() {
        if enough.load(Ordering::Relaxed) && tally.answered + tally.failed >= LEAST {
            break;
        }
        let asked = Instant::now();
        let outcome = http.get(path).await.and_then(|page| page.is(200).map(drop));
        tally.slowest = tally.slowest.max(asked.elapsed());
        match outcome {
            Ok(()) => tally.answered += 1,
            Err(problem) => {
                tally.failed += 1;
                if tally.failures.len() < KEPT {
                    tally.failures.push(format!("after {:?}: {problem}", started.elapsed()));
                }
            }
        }
        sleep(PAUSE).await;
    }
    tally
}

impl Tally {
    fn and(mut self, other: Self) -> Self {
        self.answered += other.answered;
        self.failed += other.failed;
        self.failures.extend(other.failures);
        self.slowest = self.slowest.max(other.slowest);
        self
    }

    /// Expects that there were reads, that each was answered, and how soon.
    ///
    /// # Errors
    /// When one was not.
    pub fn all_answered(&self, what: &str, within: Duration) -> Outcome {
        eprintln!("{what}: {} answered, the slowest after {:?}", self.answered, self.slowest);
        equal(&format!("{what}: failed of {}: {:#?}", self.answered, self.failures), self.failed, 0)?;
        that(self.answered > 20, format!("{what}: {} reads show nothing", self.answered))?;
        that(self.slowest <= within, format!("{what}: one took {:?}, of {within:?} at most", self.slowest))
    }
}
