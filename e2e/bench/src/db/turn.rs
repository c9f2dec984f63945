//! One turn: a few tasks that read for a while.

use super::{
    readers::{ROWS, Reader},
    subjects::Named,
};
use serde::Serialize;
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use tropos_cases::check::Problem;

/// Whether a turn is over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Until(Arc<AtomicBool>);

/// What a turn gave.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Turn {
    /// Reads a second.
    pub(crate) rate: f64,
    /// The median of how long a read took, in microseconds.
    pub(crate) p50_us: f64,
    /// What a read cost this process, in microseconds of a core: without the database server, and without what else the
    /// machine does.
    pub(crate) cpu_us: f64,
}

/// Reads one row after the other until it is told to stop.
pub(crate) async fn read<R: Reader>(reader: R, start: i64, until: Until) -> Result<Vec<u64>, Problem> {
    let mut took = Vec::with_capacity(4_096);
    let mut key = start;
    while !until.0.load(Ordering::Relaxed) {
        // 7 and the number of rows have no divisor in common, so all rows have their turn.
        key = (key + 7) % ROWS;
        let began = Instant::now();
        let (id, _) = reader.read(key + 1).await.map_err(|error| Problem::Failed(error.to_string()))?;
        took.push(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
        if id != key + 1 {
            return Err(Problem::Failed(format!("the row {} was read as {id}", key + 1)));
        }
    }
    Ok(took)
}

/// Lets `tasks` of them read for `span`.
///
/// # Errors
/// The first error of a read.
pub(crate) async fn run(way: &Named, tasks: u32, span: Duration) -> Result<Turn, Problem> {
    let until = Until::default();
    let (began, before) = (Instant::now(), cpu()?);
    let readers: Vec<_> =
        (0..tasks).map(|task| tokio::spawn((way.way)(i64::from(task) * 31 % ROWS, until.clone()))).collect();
    tokio::time::sleep(span).await;
    until.0.store(true, Ordering::Relaxed);
    let mut took = Vec::new();
    for reader in readers {
        took.extend(reader.await.map_err(|error| Problem::Failed(error.to_string()))??);
    }
    let (after, span) = (cpu()?, began.elapsed());
    took.sort_unstable();
    let reads = took.len().max(1) as f64;
    let p50 = took.get(took.len() / 2).copied().unwrap_or_default();
    Ok(Turn {
        rate: took.len() as f64 / span.as_secs_f64(),
        p50_us: p50 as f64 / 1e3,
        cpu_us: after.saturating_sub(before) as f64 / 1e3 / reads,
    })
}

/// How long this process has run on a core, in nanoseconds: the first number of each thread's `schedstat`.
fn cpu() -> Result<u64, Problem> {
    let mut sum = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        // A thread may end meanwhile.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        sum += text.split(' ').next().and_then(|number| number.parse::<u64>().ok()).unwrap_or_default();
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_runs_has_run() {
        let before = cpu().unwrap();
        std::hint::black_box((0..50_000_000u64).fold(0, |a, b| a ^ std::hint::black_box(b)));
        assert!(cpu().unwrap() > before);
    }
}
