//! An hour of a shop: how many reads of the database the cache saves.
//!
//! Every request reads one product, and a product changes now and then. Without a cache, each request is one read. All
//! that is asked for and all that changes is drawn by the same popularity, which is the harder case: what is asked for
//! most is also changed most.

use crate::{
    Error,
    zipf::{Draws, Zipf},
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tropos_cache::{Data, Engine, EngineConfig, Produced, Request, Strength};
use tropos_core::{Ages, Key, ManualClock, Revalidate, Tag, Tags};

/// What happens in the shop.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Plan {
    /// How many products there are
    #[arg(long, default_value_t = 10_000)]
    pub products: usize,
    /// How uneven their popularity is: the weight of the r-th is 1/r to the power of this
    #[arg(long, default_value_t = 1.0)]
    pub exponent: f64,
    /// Requests in a second
    #[arg(long, default_value_t = 500)]
    pub rate: u64,
    /// Seconds of the shop's clock
    #[arg(long, default_value_t = 3_600)]
    pub seconds: u64,
    /// Products that change in a second, each with one invalidation
    #[arg(long, default_value_t = 1)]
    pub changes: u64,
    /// Bytes of a product
    #[arg(long, default_value_t = 2_048)]
    pub product_bytes: usize,
    /// Bound of the memory store in bytes, of which a quarter is for data
    #[arg(long, default_value_t = 256 << 20)]
    pub memory_bytes: u64,
    /// Seconds after which a product is stale by age alone; 0: never, so that tags alone decide
    #[arg(long, default_value_t = 0)]
    pub revalidate: u64,
    /// Decides all that is drawn
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Requests that were answered; as many reads as without a cache.
    pub requests: u64,
    /// Reads of the database.
    pub reads: u64,
    /// Reads of a product that had not been read before: no cache that starts empty can save these.
    pub first_reads: u64,
    /// Changes of a product, each with an invalidation.
    pub invalidations: u64,
}

impl Outcome {
    /// The share of reads that were saved, from 0 to 1; 0 where nothing was asked for.
    pub fn saved(&self) -> f64 {
        match self.requests {
            0 => 0.0,
            requests => 1.0 - self.reads as f64 / requests as f64,
        }
    }
}

/// The versions of the products. Counts its readers.
#[derive(Debug)]
struct Database {
    rows: Vec<Row>,
    reads: AtomicU64,
    first_reads: AtomicU64,
}

#[derive(Debug, Default)]
struct Row {
    version: AtomicU64,
    reads: AtomicU64,
}

impl Database {
    /// The version now, and the bytes of a product, which begin with it.
    fn read(&self, product: usize, bytes: usize) -> Vec<u8> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let row = self.rows.get(product);
        if row.is_some_and(|row| row.reads.fetch_add(1, Ordering::Relaxed) == 0) {
            self.first_reads.fetch_add(1, Ordering::Relaxed);
        }
        let mut value = self.version(product).to_le_bytes().to_vec();
        value.resize(bytes.max(value.len()), b'.');
        value
    }

    fn version(&self, product: usize) -> u64 {
        self.rows.get(product).map_or(0, |row| row.version.load(Ordering::Relaxed))
    }

    fn change(&self, product: usize) {
        if let Some(row) = self.rows.get(product) {
            row.version.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Shop {
    plan: Plan,
    ages: Ages,
    engine: Engine,
    database: Arc<Database>,
    /// Made once, as a server has the tags of a call made once a call.
    names: Vec<(Key, Tags)>,
}

/// Runs a plan, and holds each answer to the version that had been made known.
///
/// # Errors
/// [`Error::Plan`] where there is nothing to ask for; [`Error::Outdated`] and [`Error::Unanswered`] where the engine
/// does not keep its promise; [`Error::Engine`].
pub async fn run(plan: &Plan) -> Result<Outcome, Error> {
    if plan.products == 0 || plan.rate == 0 {
        return Err(Error::Plan("it needs a product and a request a second".to_owned()));
    }
    let clock = ManualClock::new();
    let shop = Shop::open(plan, &clock).await?;
    let (zipf, mut draws) = (Zipf::new(plan.products, plan.exponent), Draws::new(plan.seed));
    for _ in 0..plan.seconds {
        // Each change comes at any moment of its second.
        let mut changes: Vec<u64> = (0..plan.changes).map(|_| draws.below(plan.rate)).collect();
        changes.sort_unstable();
        let mut changes = changes.into_iter().peekable();
        for request in 0..plan.rate {
            while changes.next_if_eq(&request).is_some() {
                shop.change(zipf.draw(&mut draws)).await?;
            }
            shop.visit(zipf.draw(&mut draws)).await?;
        }
        clock.advance(Duration::from_secs(1));
    }
    Ok(Outcome {
        requests: plan.rate * plan.seconds,
        reads: shop.database.reads.load(Ordering::Relaxed),
        first_reads: shop.database.first_reads.load(Ordering::Relaxed),
        invalidations: shop.engine.tags().current().sequence,
    })
}

impl Shop {
    async fn open(plan: &Plan, clock: &ManualClock) -> Result<Self, Error> {
        let ages = match plan.revalidate {
            0 => Ok(Ages::NEVER),
            seconds => Ages::new(Revalidate::After(Duration::from_secs(seconds)), None),
        };
        let config = EngineConfig { memory_bytes: plan.memory_bytes, ..EngineConfig::default() };
        let name = |product: usize| {
            (
                Key::function("by_id", &product.to_string()),
                [Tag::from(("product", product))].into_iter().collect(),
            )
        };
        Ok(Self {
            plan: *plan,
            ages: ages.map_err(|error| Error::Plan(error.to_string()))?,
            engine: Engine::open(config, Arc::new(clock.clone()), None).await?,
            database: Arc::new(Database {
                rows: (0..plan.products).map(|_| Row::default()).collect(),
                reads: AtomicU64::new(0),
                first_reads: AtomicU64::new(0),
            }),
            names: (0..plan.products).map(name).collect(),
        })
    }

    /// One request: it reads a product through the cache.
    async fn visit(&self, product: usize) -> Result<(), Error> {
        let Some((key, tags)) = self.names.get(product) else { return Ok(()) };
        let request = Request { tags: tags.clone(), ..Request::new(key, self.ages) };
        let (database, bytes) = (self.database.clone(), self.plan.product_bytes);
        let read = move || async move {
            let value = Data(database.read(product, bytes).into());
            Ok(Produced { value, negative: false, store: true })
        };
        let what = || format!("product {product}");
        let served = self.engine.data().serve(request, read).await;
        let entry = served.result.map_err(|why| Error::Unanswered { what: what(), why: why.to_string() })?;
        let got = entry.value.0.first_chunk().map_or(0, |version| u64::from_le_bytes(*version));
        match self.database.version(product) {
            owed if got < owed => Err(Error::Outdated { what: what(), got, owed }),
            _ => Ok(()),
        }
    }

    /// A product changes, and whoever changed it says so.
    async fn change(&self, product: usize) -> Result<(), Error> {
        let Some((_, tags)) = self.names.get(product) else { return Ok(()) };
        self.database.change(product);
        self.engine.invalidate(tags.as_slice(), Strength::Hard).await?;
        Ok(())
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan {
            products,
            exponent,
            rate,
            seconds,
            changes,
            product_bytes,
            memory_bytes,
            revalidate,
            seed,
        } = self;
        let age = if *revalidate == 0 {
            "never stale by age".into()
        } else {
            format!("stale after {revalidate} s")
        };
        write!(
            f,
            "{products} products of {product_bytes} bytes, Zipf {exponent}, {rate} requests and {changes} \
             invalidations a second for {seconds} s, {age}, {memory_bytes} bytes of memory (a quarter for data), an \
             empty cache to start with, seed {seed}"
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { requests, reads, first_reads, invalidations } = self;
        let (again, saved) = (reads - first_reads, 100.0 * self.saved());
        write!(
            f,
            "{requests} requests, {invalidations} invalidations\n{reads} database reads: {first_reads} first ones, \
             {again} again\n{saved:.3} % of the reads saved"
        )
    }
}
