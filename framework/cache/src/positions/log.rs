//! Asking where the logs stand, some callers at a time with one question.

use super::LogSource;
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};
use tokio::sync::Semaphore;
use tropos_core::{Failure, Positions};

/// A primary that takes longer to say a number is as good as gone for who writes.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Questions under way. A fifth caller waits for the next one, with all who come until that begins: so a burst of
/// invalidations costs the primaries a few questions, and none waits for more than one that hangs before its own.
const AT_ONCE: usize = 4;

type Question = Shared<BoxFuture<'static, Result<Positions, Failure>>>;

/// Who is asked for the positions, and the question that has not begun yet.
#[derive(Debug)]
pub(crate) struct Log {
    source: OnceLock<Arc<dyn LogSource>>,
    turns: Arc<Semaphore>,
    next: Arc<Mutex<Option<Question>>>,
}

impl Log {
    /// Without anybody to ask.
    pub(crate) fn new() -> Self {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        Self { source: OnceLock::new(), turns, next: Arc::default() }
    }

    /// Says who is to be asked; false where somebody is asked already, who stays.
    pub(crate) fn follow(&self, source: Arc<dyn LogSource>) -> bool {
        self.source.set(source).is_ok()
    }

    /// Whether there is somebody to ask.
    pub(crate) fn is_followed(&self) -> bool {
        self.source.get().is_some()
    }

    /// Where the logs stand, by a question that begins after this was called. None, where nobody is to be asked.
    pub(crate) async fn ask(&self) -> Result<Positions, Failure> {
        let Some(source) = self.source.get() else { return Ok(Positions::default()) };
        let question = lock(&self.next).get_or_insert_with(|| self.question(source.clone())).clone();
        question.await
    }

    fn question(&self, source: Arc<dyn LogSource>) -> Question {
        let (turns, next) = (self.turns.clone(), self.next.clone());
        let question = async move {
            let _turn = turns.acquire().await;
            // Who comes from now on asks anew: this one may be answered from before their write.
            drop(lock(&next).take());
            let too_long = |_| Failure::new(format!("no answer within {} ms", TIMEOUT.as_millis()));
            tokio::time::timeout(TIMEOUT, source.current()).await.map_err(too_long)?
        };
        question.boxed().shared()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
    use tokio::{task::JoinSet, time::Instant};

    /// Answers what is written when it is asked, 100 ms later; never, where nothing is written yet.
    #[derive(Debug, Default)]
    struct Slow {
        written: AtomicU64,
        questions: AtomicUsize,
        most: AtomicUsize,
        under_way: AtomicUsize,
    }

    impl LogSource for Slow {
        fn current(&self) -> BoxFuture<'_, Result<Positions, Failure>> {
            Box::pin(async {
                let written = self.written.load(Ordering::SeqCst);
                self.questions.fetch_add(1, Ordering::SeqCst);
                let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
                self.most.fetch_max(under_way, Ordering::SeqCst);
                let pause = if written == 0 { Duration::MAX } else { Duration::from_millis(100) };
                tokio::time::sleep(pause).await;
                self.under_way.fetch_sub(1, Ordering::SeqCst);
                Ok([(0, written)].into_iter().collect())
            })
        }
    }

    fn log(source: &Arc<Slow>) -> Arc<Log> {
        let log = Log::new();
        assert!(log.follow(source.clone()));
        assert!(!log.follow(source.clone()), "the first stays");
        Arc::new(log)
    }

    #[tokio::test(start_paused = true)]
    async fn g9_nobody_is_answered_by_a_question_that_began_before_their_write() {
        let source = Arc::new(Slow::default());
        let log = log(&source);
        let mut callers = JoinSet::new();
        for number in 1..=100u64 {
            source.written.store(number, Ordering::SeqCst);
            let log = log.clone();
            callers.spawn(async move { (number, log.ask().await.unwrap().of(0)) });
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        while let Some(done) = callers.join_next().await {
            let (wrote, answered) = done.unwrap();
            assert!(answered >= wrote, "wrote {wrote}, and was told {answered}");
        }
        assert!(source.questions.load(Ordering::SeqCst) < 50, "who waits shares a question");
        assert_eq!(source.most.load(Ordering::SeqCst), AT_ONCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_primary_that_is_silent_holds_nobody_up_for_more_than_two_seconds() {
        let source = Arc::new(Slow::default());
        let log = log(&source);
        let mut callers = JoinSet::new();
        for _ in 0..20 {
            let log = log.clone();
            callers.spawn(async move {
                let began = Instant::now();
                (log.ask().await.unwrap_err().to_string(), began.elapsed())
            });
        }
        while let Some(done) = callers.join_next().await {
            let (error, waited) = done.unwrap();
            assert_eq!(error, "no answer within 1000 ms");
            assert!(waited <= 2 * TIMEOUT + Duration::from_millis(10), "{waited:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_leaves_takes_no_turn_along() {
        let source = Arc::new(Slow::default());
        let log = log(&source);
        for _ in 0..3 * AT_ONCE {
            tokio::time::timeout(Duration::from_millis(1), log.ask()).await.unwrap_err();
        }
        source.written.store(1, Ordering::SeqCst);
        assert_eq!(log.ask().await.unwrap().of(0), 1);
    }
}
