//! A database with replicas, of which one always is as far behind as a reader allows.

use futures::future::BoxFuture;
use rand::{RngExt as _, rngs::StdRng};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tropos_cache::{LogSource, Required, Scope};
use tropos_core::{Failure, Positions};

/// One number, which is its own position in the log.
#[derive(Debug)]
pub(crate) struct Database {
    written: AtomicU64,
    random: Mutex<StdRng>,
}

impl Database {
    pub(crate) fn new(random: StdRng) -> Arc<Self> {
        Arc::new(Self { written: AtomicU64::new(0), random: Mutex::new(random) })
    }

    /// Writes the next number.
    pub(crate) fn write(&self) -> u64 {
        self.written.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// What a replica shows that has replayed what this scope requires and nothing after it.
    pub(crate) async fn read_as_late_as_may_be(&self) -> u64 {
        self.pause(20).await;
        let required = Scope::current().unwrap().requires(0);
        let read = match required {
            Required::Nothing => 0,
            Required::Position(position) => position,
            Required::Primary => self.written.load(Ordering::SeqCst),
        };
        self.pause(20).await;
        read
    }

    /// The same log, whose answers are those to the question before.
    pub(crate) fn with_old_answers(self: &Arc<Self>) -> Arc<OldAnswers> {
        Arc::new(OldAnswers { database: self.clone(), before: Mutex::default() })
    }

    async fn pause(&self, most: u64) {
        let pause = self.random.lock().unwrap().random_range(0..most);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

impl LogSource for Database {
    fn current(&self) -> BoxFuture<'_, Result<Positions, Failure>> {
        Box::pin(async {
            // Mostly quick, now and then slower than any deadline, and sometimes not there.
            let slow = self.random.lock().unwrap().random_bool(0.02);
            self.pause(if slow { 2_000 } else { 8 }).await;
            if self.random.lock().unwrap().random_bool(0.05) {
                return Err(Failure::new("the primary is gone"));
            }
            let written = self.written.load(Ordering::SeqCst);
            self.pause(8).await;
            Ok([(0, written)].into_iter().collect())
        })
    }
}

/// See [`Database::with_old_answers`].
#[derive(Debug)]
pub(crate) struct OldAnswers {
    database: Arc<Database>,
    before: Mutex<Positions>,
}

impl LogSource for OldAnswers {
    fn current(&self) -> BoxFuture<'_, Result<Positions, Failure>> {
        Box::pin(async {
            let mut answer = self.database.current().await?;
            std::mem::swap(&mut answer, &mut self.before.lock().unwrap());
            Ok(answer)
        })
    }
}
