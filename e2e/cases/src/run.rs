//! Runs cases side by side, each with a bounded time, and tells how each ended.

use crate::{
    cases::Case,
    check::{Outcome, Problem},
    context::{Context, World},
};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout},
};

/// No case may take longer. A fail-over takes the longest: some ten seconds, with the start of nine programs.
pub const LIMIT: Duration = Duration::from_secs(30);

/// How many cases ended in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Held.
    pub passed: usize,
    /// Did not hold.
    pub failed: usize,
    /// Lacked what they need.
    pub skipped: usize,
}

impl Summary {
    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(Problem::Failed(_)) => self.failed += 1,
            Err(Problem::Skipped(_)) => self.skipped += 1,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 { write!(f, ", {} skipped", self.skipped) } else { Ok(()) }
    }
}

/// Runs the cases, at most `jobs` at once, and those that must be alone after the others. Each end is told to `tell`.
pub async fn run(
    world: Arc<World>,
    cases: &[&'static Case],
    jobs: usize,
    mut tell: impl FnMut(&Case, &Outcome, Duration),
) -> Summary {
    let mut summary = Summary::default();
    let (alone, together): (Vec<_>, Vec<_>) = cases.iter().copied().partition(|case| case.alone);
    let permits = Arc::new(Semaphore::new(jobs.max(1)));
    let mut running = JoinSet::new();
    for case in together {
        let (world, permits) = (world.clone(), permits.clone());
        running.spawn(async move {
            // Never closed, so always granted.
            let _permit = permits.acquire_owned().await;
            one(world, case).await
        });
    }
    let mut note = |(case, outcome, elapsed): Ended| {
        summary.count(&outcome);
        tell(case, &outcome, elapsed);
    };
    while let Some(Ok(ended)) = running.join_next().await {
        note(ended);
    }
    for case in alone {
        note(one(world.clone(), case).await);
    }
    summary
}

type Ended = (&'static Case, Outcome, Duration);

async fn one(world: Arc<World>, case: &'static Case) -> Ended {
    let started = Instant::now();
    // A task of its own, so that a panic in a case is that case's failure.
    let mut task = tokio::spawn((case.run)(Context::new(world)));
    let outcome = match timeout(LIMIT, &mut task).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(Problem::Failed(format!("the case itself broke: {panic}"))),
        Err(_) => {
            task.abort();
            Err(Problem::Failed(format!("not at its end after {LIMIT:?}")))
        }
    };
    (case, outcome, started.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cases::Case, client::Client, upstream::Upstream};

    static CASES: [Case; 5] = [
        Case { number: None, name: "holds", alone: false, run: |_| Box::pin(async { Ok(()) }) },
        Case {
            number: Some(1),
            name: "differs",
            alone: false,
            run: |_| Box::pin(async { crate::check::fail("x") }),
        },
        Case { number: None, name: "panics", alone: true, run: |_| Box::pin(async { panic!("on purpose") }) },
        Case { number: None, name: "hangs", alone: false, run: |_| Box::pin(std::future::pending()) },
        Case {
            number: None,
            name: "lacks a binary",
            alone: true,
            run: |context| Box::pin(async move { context.own_server(None, &[]).await.map(drop) }),
        },
    ];

    #[tokio::test(start_paused = true)]
    async fn every_way_to_end_is_counted_and_told_once() {
        let upstream = Upstream::start("127.0.0.1:0").await.unwrap();
        let world = World::new(Client::new(&upstream.url()).unwrap(), upstream, String::new(), None);
        let cases: Vec<_> = CASES.iter().collect();
        let mut told = Vec::new();
        let summary =
            run(Arc::new(world), &cases, 2, |case, outcome, _| told.push((case.name, outcome.clone()))).await;
        assert_eq!(summary.to_string(), "1 passed, 3 failed, 1 skipped");
        assert_eq!(told.len(), 5);
        let of =
            |name| told.iter().find(|(told, _)| *told == name).unwrap().1.clone().unwrap_err().to_string();
        assert!(of("panics").contains("on purpose") && of("hangs").contains("30s"));
        assert_eq!(Summary { passed: 2, ..Summary::default() }.to_string(), "2 passed, 0 failed");
    }
}
