//! One question to many shards, with limits and with what some of them cannot answer.

use futures::stream::{FuturesUnordered, StreamExt as _};
use std::{fmt, time::Duration};

/// How many shards are asked at once: few enough that a page which asks all does not take every pool's connections.
const AT_ONCE: usize = 8;

/// How long all of them have together: a page that waits longer for one shard is better off without it.
const WITHIN: Duration = Duration::from_secs(5);

/// Asks many shards one question, a few at a time, and keeps apart what they answered and what went wrong.
///
/// The questions run in the task that asks, so they belong to the same request or page, and to nothing once that is
/// dropped: those under way are cancelled.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tropos_db::shard::FanOut;
/// let shards = vec![("a".to_owned(), 1), ("b".to_owned(), 2)];
/// let answers = FanOut::new(shards).run(|shard| async move { Ok::<_, std::io::Error>(shard * 10) }).await;
/// assert_eq!(answers.all()?, [10, 20]); // in the order of the shards
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nobody is asked before `run`"]
pub struct FanOut<S> {
    shards: Vec<(String, S)>,
    at_once: usize,
    within: Duration,
}

impl<S> FanOut<S> {
    /// Will ask these shards: 8 at once, and within 5 s in all.
    pub fn new(shards: Vec<(String, S)>) -> Self {
        Self { shards, at_once: AT_ONCE, within: WITHIN }
    }

    /// How many are asked at once, 8 by default; at least one is.
    pub fn at_most(mut self, at_once: usize) -> Self {
        self.at_once = at_once.max(1);
        self
    }

    /// How long all of them have together, 5 s by default. A shard that has not answered by then counts as failed.
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Asks, and waits until all have answered or the time is over.
    pub async fn run<T, E, F, A>(self, mut ask: A) -> Answers<T, E>
    where
        A: FnMut(S) -> F,
        F: Future<Output = Result<T, E>>,
    {
        let within = self.within;
        let mut answers: Vec<(String, Result<T, ShardError<E>>)> = Vec::with_capacity(self.shards.len());
        let mut waiting = Vec::with_capacity(self.shards.len());
        for (place, (name, shard)) in self.shards.into_iter().enumerate() {
            answers.push((name, Err(ShardError::NotAsked(within))));
            waiting.push((place, shard));
        }
        let mut waiting = waiting.into_iter();
        let mut under_way = FuturesUnordered::new();
        let over = tokio::time::sleep(within);
        tokio::pin!(over);
        loop {
            while under_way.len() < self.at_once {
                let Some((place, shard)) = waiting.next() else { break };
                if let Some((_, answer)) = answers.get_mut(place) {
                    *answer = Err(ShardError::Slow(within));
                }
                let question = ask(shard);
                under_way.push(async move { (place, question.await) });
            }
            // What is there at the last moment counts.
            tokio::select! {
                biased;
                answered = under_way.next() => match answered {
                    Some((place, answered)) => {
                        if let Some((_, answer)) = answers.get_mut(place) {
                            *answer = answered.map_err(ShardError::Failed);
                        }
                    }
                    None => break,
                },
                () = &mut over => break,
            }
        }
        drop(under_way);
        Answers(answers)
    }
}

/// Why there is no answer of a shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError<E> {
    /// It said so.
    #[error("{0}")]
    Failed(E),
    /// It was asked and had not answered when the time was over.
    #[error("no answer within {0:?}")]
    Slow(Duration),
    /// The time was over before it was its turn: the others took all of it.
    #[error("not asked within {0:?}, since others took that long")]
    NotAsked(Duration),
}

/// What each shard answered, in the order of the shards.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "say whether all shards have to answer (`all`) or those that can (`available`)"]
pub struct Answers<T, E>(Vec<(String, Result<T, ShardError<E>>)>);

/// The answers there are and the shards without one, each with the shard's name.
pub type Available<T, E> = (Vec<(String, T)>, Vec<(String, ShardError<E>)>);

impl<T, E> Answers<T, E> {
    /// The answers of all shards, in their order.
    ///
    /// # Errors
    /// When some did not answer; the error names each and its reason.
    pub fn all(self) -> Result<Vec<T>, ShardsFailed>
    where
        E: fmt::Display,
    {
        let of = self.0.len();
        let (answers, failed) = self.available();
        if failed.is_empty() {
            return Ok(answers.into_iter().map(|(_, answer)| answer).collect());
        }
        let failed = failed.into_iter().map(|(name, error)| (name, error.to_string())).collect();
        Err(ShardsFailed { failed, of })
    }

    /// The answers there are, and the shards without one: for pages that can do without some.
    pub fn available(self) -> Available<T, E> {
        let (mut answers, mut failed) = (Vec::new(), Vec::new());
        for (name, answer) in self.0 {
            match answer {
                Ok(answer) => answers.push((name, answer)),
                Err(error) => failed.push((name, error)),
            }
        }
        (answers, failed)
    }

    /// Each shard's name and what it answered.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Result<T, ShardError<E>>)> {
        self.0.iter().map(|(name, answer)| (name.as_str(), answer))
    }
}

/// Some of the shards that were asked did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardsFailed {
    /// Their names, each with the reason.
    pub failed: Vec<(String, String)>,
    /// How many were asked.
    pub of: usize,
}

impl fmt::Display for ShardsFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} shards did not answer:", self.failed.len(), self.of)?;
        for (place, (name, error)) in self.failed.iter().enumerate() {
            write!(f, "{} `{name}` ({error})", if place == 0 { "" } else { "," })?;
        }
        f.write_str("; take `available()` where some may be missing")
    }
}

impl std::error::Error for ShardsFailed {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };
    use tokio::time::{Instant, sleep};

    fn shards(count: u64) -> Vec<(String, u64)> {
        (0..count).map(|n| (format!("s{n}"), n)).collect()
    }

    /// Answers after as many seconds as its number says.
    async fn after(seconds: u64) -> Result<u64, &'static str> {
        sleep(Duration::from_secs(seconds)).await;
        Ok(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_in_the_order_of_the_shards() {
        let answers = FanOut::new(shards(4)).run(|shard| after(4 - shard)).await;
        assert_eq!(answers.all(), Ok(vec![4, 3, 2, 1]));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_asked_at_once_than_allowed() {
        for (at_most, most) in [(3, 3), (0, 1), (100, 20)] {
            let now = Arc::new(AtomicUsize::new(0));
            let peak = Arc::new(AtomicUsize::new(0));
            let fan_out = FanOut::new(shards(20)).at_most(at_most).within(Duration::from_secs(60));
            let answers = fan_out
                .run(|_| {
                    let (now, peak) = (now.clone(), peak.clone());
                    async move {
                        peak.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                        after(1).await?;
                        now.fetch_sub(1, Ordering::Relaxed);
                        Ok::<_, &str>(())
                    }
                })
                .await;
            assert_eq!(answers.all().map(|all| all.len()), Ok(20));
            assert_eq!(peak.load(Ordering::Relaxed), most, "at most {at_most}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_shard_counts_as_failed_and_the_others_answer() {
        let begun = Instant::now();
        let answers = FanOut::new(shards(3)).within(Duration::from_millis(1500)).run(after).await;
        assert_eq!(begun.elapsed(), Duration::from_millis(1500));
        let (answered, failed) = answers.available();
        assert_eq!(answered, [("s0".to_owned(), 0), ("s1".to_owned(), 1)]);
        assert_eq!(failed, [("s2".to_owned(), ShardError::Slow(Duration::from_millis(1500)))]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_is_that_of_all_together() {
        let fan_out = FanOut::new(shards(3)).at_most(1).within(Duration::from_secs(2));
        let (answered, failed) = fan_out.run(|_| after(1)).await.available();
        assert_eq!(answered.len(), 2);
        let slow = ShardError::Slow(Duration::from_secs(2));
        assert_eq!(failed, [("s2".to_owned(), slow)]);
        let fan_out = FanOut::new(shards(3)).at_most(1).within(Duration::from_secs(2));
        let (_, failed) = fan_out.run(|_| after(5)).await.available();
        let kinds: Vec<_> = failed.iter().map(|(name, error)| format!("{name}: {error}")).collect();
        assert_eq!(
            kinds,
            [
                "s0: no answer within 2s",
                "s1: not asked within 2s, since others took that long",
                "s2: not asked within 2s, since others took that long"
            ]
        );
    }

    #[tokio::test]
    async fn the_error_names_the_shards_that_failed() {
        let answers = FanOut::new(shards(3))
            .run(|shard| async move { if shard == 1 { Err("out of reach") } else { Ok(shard) } })
            .await;
        assert_eq!(
            answers.all().unwrap_err().to_string(),
            "1 of 3 shards did not answer: `s1` (out of reach); take `available()` where some may be missing"
        );
    }

    #[tokio::test]
    async fn none_is_asked_where_there_is_none() {
        assert_eq!(FanOut::new(shards(0)).run(after).await.all(), Ok(vec![]));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_drops_it_cancels_the_rest() {
        struct Cancelled(Arc<AtomicUsize>);
        impl Drop for Cancelled {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let cancelled = Arc::new(AtomicUsize::new(0));
        let fan_out = FanOut::new(shards(3)).run(|_| {
            let cancelled = Cancelled(cancelled.clone());
            async move {
                after(3).await?;
                std::mem::forget(cancelled);
                Ok::<_, &str>(())
            }
        });
        assert!(tokio::time::timeout(Duration::from_secs(1), fan_out).await.is_err());
        assert_eq!(cancelled.load(Ordering::Relaxed), 3);
    }
}
