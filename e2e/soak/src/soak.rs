//! Many lives of a blog that everybody abuses: endless unknown paths, dead links, invalidations of everything by
//! anybody, restarts and deployments. What grows, and what does not?
//!
//! A life is a process's: the engine is opened over the folder that the last one left, answers requests, is shut down
//! and measured. Each life begins with an empty memory, so the memory's measures say how full it gets, and those of the
//! disk and of the process what is left over.

mod blog;
mod gauges;

use crate::{Error, plateau::Series, zipf::Draws};
use blog::Blog;
use gauges::Gauges;
use std::{fmt, path::Path, sync::Arc};
use tropos_cache::{DiskConfig, Engine, EngineConfig};
use tropos_core::{Clock, ManualClock};

/// How long the blog is abused, and by how much it may grow.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Plan {
    /// Restarts, plus one
    #[arg(long, default_value_t = 60)]
    pub lives: u64,
    /// Every so many lives a new build is deployed
    #[arg(long, default_value_t = 10)]
    pub lives_a_build: u64,
    /// Requests in a life
    #[arg(long, default_value_t = 50_000)]
    pub requests: u64,
    /// Posts that exist
    #[arg(long, default_value_t = 2_000)]
    pub posts: usize,
    /// Different names that invalidations name beside those of posts. The engine remembers a million
    #[arg(long, default_value_t = 2_000_000)]
    pub names: u64,
    /// Bound of the memory store in bytes
    #[arg(long, default_value_t = 8 << 20)]
    pub memory_bytes: u64,
    /// Bound of the store of "there is no such page" in bytes
    #[arg(long, default_value_t = 1 << 20)]
    pub negative_bytes: u64,
    /// Bound of the disk store in bytes
    #[arg(long, default_value_t = 64 << 20)]
    pub disk_bytes: u64,
    /// Decides all that is drawn
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What was measured at the end of each life, and what was asked of the engine meanwhile.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// One a gauge.
    pub series: Vec<Series>,
    /// One a store.
    pub pressure: Vec<Pressure>,
}

/// How hard a bound was pressed: what was made for a store is compared with the most that it ever held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressure {
    /// The name of the series that says what is held.
    pub name: &'static str,
    /// What was made for the store while it lasted, on the average.
    pub made: u64,
    /// The most that it held at the end of a life.
    pub held: u64,
}

impl Outcome {
    /// What is wrong, a line each: a gauge that grows or passes its bound, and a bound that was never pressed, so that
    /// keeping it shows nothing.
    pub fn problems(&self) -> Vec<String> {
        let idle = self.pressure.iter().filter(|pressure| pressure.made < 3 * pressure.held.max(1));
        let idle = idle.map(|Pressure { name, made, held }| {
            format!("{name}: {made} made where {held} are held press no bound: use more lives or requests")
        });
        self.series.iter().filter_map(Series::problem).chain(idle).collect()
    }
}

/// Runs a plan over a folder of its own.
///
/// # Errors
/// [`Error::Outdated`] and [`Error::Unanswered`] where the engine does not keep its promise; [`Error::Engine`];
/// [`Error::Measure`].
pub async fn run(plan: &Plan, dir: &Path) -> Result<Outcome, Error> {
    let mut gauges = Gauges::new(plan);
    let mut blog = Blog::new(plan, gauges.alive());
    let mut draws = Draws::new(plan.seed);
    let mut wall = ManualClock::new().wall();
    for life in 0..plan.lives {
        // Ticks begin anew with each process; the wall goes on.
        let clock = ManualClock::new();
        clock.set_wall(wall);
        let config = EngineConfig {
            build_id: format!("build-{}", life / plan.lives_a_build.max(1)),
            memory_bytes: plan.memory_bytes,
            negative_bytes: plan.negative_bytes,
            disk: Some(DiskConfig { dir: dir.to_owned(), bytes: plan.disk_bytes }),
            ..EngineConfig::default()
        };
        let engine = Engine::open(config, Arc::new(clock.clone()), None).await?;
        for _ in 0..plan.requests {
            blog.step(&engine, &clock, &mut draws).await?;
        }
        // What is rendered in the background ends before the process does, and what waits for the disk is written.
        settle().await;
        engine.shutdown().await;
        gauges.measure(dir, &engine.stats())?;
        wall = clock.wall();
    }
    Ok(gauges.into_outcome())
}

/// Lets every task that can go on do so.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { lives, lives_a_build, requests, posts, names, seed, .. } = self;
        write!(
            f,
            "{lives} lives of {requests} requests, a new build every {lives_a_build}, {posts} posts, {names} other \
             names, seed {seed}"
        )
    }
}

/// `{:#}` shows the measures too.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.series.iter().try_for_each(|series| match f.alternate() {
            true => writeln!(f, "{series:#}"),
            false => writeln!(f, "{series}"),
        })?;
        self.pressure.iter().try_for_each(|Pressure { name, made, held }| {
            writeln!(f, "     {name}: {made} made, {held} held at most")
        })
    }
}
