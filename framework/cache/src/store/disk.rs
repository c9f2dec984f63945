//! Entries on disk, so that a restart finds them.
//!
//! One file an entry, `entries/<build>/<2 hex>/<hash of the key>.entry`, written beside and renamed: it is whole or
//! absent, and a checksum tells the rest. Writing happens behind a bounded queue; when that is full the write is left
//! out, since a page that is not on disk is only made once more.

mod files;

use crate::{Entry, Error, Value};
use files::{Files, Name};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};
use tokio::sync::{mpsc, oneshot};
use tropos_core::Key;

/// So many writes wait at most,
const MOST_WAITING: usize = 4_096;

/// and so many bytes.
const MOST_WAITING_BYTES: usize = 64 << 20;

/// Jobs done in one go on a blocking thread.
const BATCH: usize = 64;

/// The entries of one build on disk.
pub(crate) struct Disk {
    files: Arc<Files>,
    jobs: mpsc::Sender<Job>,
    waiting_bytes: Arc<AtomicUsize>,
    dropped: AtomicU64,
}

enum Job {
    /// Encoded when its turn comes, away from the threads that answer requests.
    Write {
        name: Name,
        weight: usize,
        encode: Box<dyn FnOnce() -> Vec<u8> + Send>,
    },
    Remove(Name),
    /// Entries of other builds are never read again.
    RemoveOtherBuilds,
    Flush(oneshot::Sender<()>),
}

impl Disk {
    /// The entries of `build` in `dir`, at most so many bytes of them.
    pub(crate) async fn open(dir: &Path, build: &str, most_bytes: u64) -> Result<Arc<Self>, Error> {
        let (dir, build) = (dir.join("entries"), build.to_owned());
        let opened = tokio::task::spawn_blocking(move || Files::open(&dir, &build, most_bytes)).await;
        let files = Arc::new(opened.unwrap_or(Err(Error::Closed))?);
        let (jobs, queue) = mpsc::channel(MOST_WAITING);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        tokio::spawn(work(files.clone(), queue, waiting_bytes.clone()));
        let disk = Self { files, jobs, waiting_bytes, dropped: AtomicU64::new(0) };
        disk.queue(Job::RemoveOtherBuilds);
        Ok(Arc::new(disk))
    }

    /// The bytes stored under `key`. Where there are none, the disk is not asked.
    pub(crate) async fn read(&self, key: &Key) -> Option<Vec<u8>> {
        let name = Name::of(key);
        if !self.files.touch(name) {
            return None;
        }
        let files = self.files.clone();
        tokio::task::spawn_blocking(move || files.read(name)).await.ok()?
    }

    /// Stores an entry, later.
    pub(crate) fn write<V: Value>(&self, key: &Key, entry: &Arc<Entry<V>>) {
        let weight = entry.value.weight();
        if self.waiting_bytes.fetch_add(weight, Ordering::Relaxed) + weight > MOST_WAITING_BYTES {
            self.waiting_bytes.fetch_sub(weight, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let (name, key, entry) = (Name::of(key), key.clone(), entry.clone());
        if !self.queue(Job::Write { name, weight, encode: Box::new(move || entry.encode(&key)) }) {
            self.waiting_bytes.fetch_sub(weight, Ordering::Relaxed);
        }
    }

    /// Removes an entry, later.
    pub(crate) fn remove(&self, key: &Key) {
        let name = Name::of(key);
        self.queue(Job::Remove(name));
    }

    /// Returns when all that was asked for before has been done.
    pub(crate) async fn flush(&self) {
        let (done, is_done) = oneshot::channel();
        if self.jobs.send(Job::Flush(done)).await.is_ok() {
            drop(is_done.await);
        }
    }

    /// How many jobs were left out, since too many waited.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn queue(&self, job: Job) -> bool {
        let queued = self.jobs.try_send(job).is_ok();
        if !queued {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        queued
    }
}

/// Does the jobs in order, until the last handle on the disk is gone.
async fn work(files: Arc<Files>, mut queue: mpsc::Receiver<Job>, waiting_bytes: Arc<AtomicUsize>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let (files, waiting_bytes) = (files.clone(), waiting_bytes.clone());
        let jobs = std::mem::take(&mut batch);
        let done = tokio::task::spawn_blocking(move || {
            for job in jobs {
                match job {
                    Job::Write { name, weight, encode } => {
                        files.write(name, &encode());
                        waiting_bytes.fetch_sub(weight, Ordering::Relaxed);
                    }
                    Job::Remove(name) => files.remove(name),
                    Job::RemoveOtherBuilds => files.remove_other_builds(),
                    Job::Flush(done) => drop(done.send(())),
                }
            }
        });
        if let Err(error) = done.await {
            tracing::error!(%error, "writing entries to disk failed");
        }
    }
}
