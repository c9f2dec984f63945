//! The numbers of one series.
//!
//! Each thread writes to a stripe of its own where there are as many as threads: an add then never waits for another core
//! to give a cache line away. Reading adds the stripes up. Adds are relaxed: nothing is ordered by them, and a reader may
//! see one of two numbers that belong together a moment before the other.

use crate::names::metrics::{Kind, Metric};
use std::{
    cell::Cell,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// The numbers of a stripe: what a histogram by the conventions needs, and two cache lines, since processors fetch them in
/// pairs.
pub(crate) const SLOTS: usize = 16;

/// More stripes would take memory and help nobody: each thread that answers requests has its own long before.
const MOST_STRIPES: usize = 64;

#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe([AtomicU64; SLOTS]);

/// A series, whatever its kind.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: Box<[Box<str>]>,
    /// Made when a thread first writes to it: most series are written to by few.
    stripes: Box<[OnceLock<Box<Stripe>>]>,
    /// Of a histogram, in nanoseconds, each inclusive.
    bounds: &'static [u64],
    /// Steps in one unit of a counter.
    steps: u32,
}

impl Series {
    pub(crate) fn new(metric: &Metric, labels: &[&str]) -> Self {
        let steps = match metric.kind {
            Kind::Counter { steps } => steps,
            Kind::Gauge | Kind::UpDown | Kind::Histogram(_) => 1,
        };
        Self {
            labels: labels.iter().map(|label| Box::from(*label)).collect(),
            stripes: (0..stripes()).map(|_| OnceLock::new()).collect(),
            bounds: bounds(metric.kind),
            steps,
        }
    }

    fn add(&self, slot: usize, number: u64) {
        let stripe = MINE.with(Cell::get);
        let stripe = if stripe == usize::MAX { number_of_this_thread() } else { stripe };
        // Their number is a power of two.
        let stripe = self.stripes.get(stripe & (self.stripes.len() - 1));
        if let Some(slot) = stripe.and_then(|stripe| stripe.get_or_init(Box::default).0.get(slot)) {
            slot.fetch_add(number, Ordering::Relaxed);
        }
    }

    fn sum(&self, slot: usize) -> u64 {
        let of = |stripe: &OnceLock<Box<Stripe>>| Some(stripe.get()?.0.get(slot)?.load(Ordering::Relaxed));
        self.stripes.iter().filter_map(of).fold(0, u64::wrapping_add)
    }

    /// The number of a counter, in its unit.
    pub(crate) fn counted(&self) -> f64 {
        self.sum(0) as f64 / f64::from(self.steps)
    }

    /// The number of what goes up and down.
    pub(crate) fn difference(&self) -> f64 {
        self.sum(0).cast_signed() as f64
    }

    /// How many there are in each bucket, the last of which has no bound; and the sum in seconds.
    pub(crate) fn distribution(&self) -> (Vec<u64>, f64) {
        let buckets = (1..=self.bounds.len() + 1).map(|slot| self.sum(slot)).collect();
        (buckets, Duration::from_nanos(self.sum(0)).as_secs_f64())
    }
}

/// Something that only grows.
#[derive(Debug, Clone)]
pub struct Counter(pub(crate) Arc<Series>);

impl Counter {
    /// Adds so many.
    pub fn add(&self, number: u64) {
        if number > 0 {
            self.0.add(0, number * u64::from(self.0.steps));
        }
    }

    /// Adds a duration to a counter of seconds.
    pub fn add_duration(&self, duration: Duration) {
        self.add_steps(duration.as_secs_f64());
    }

    /// Adds an amount, of which the sixth place is kept. What is negative, or no number, adds nothing: a counter only grows.
    pub fn add_amount(&self, amount: f64) {
        self.add_steps(amount);
    }

    fn add_steps(&self, units: f64) {
        let steps = (units * f64::from(self.0.steps)).round();
        if steps >= 1.0 && steps.is_finite() {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "at least 1, and saturates"
            )]
            self.0.add(0, steps as u64);
        }
    }
}

/// How many there are now.
#[derive(Debug, Clone)]
pub struct UpDown(pub(crate) Arc<Series>);

impl UpDown {
    /// One more.
    pub fn up(&self) {
        self.0.add(0, 1);
    }

    /// One less.
    pub fn down(&self) {
        // Numbers wrap, so that stripes add up to what is right whichever of them was written to.
        self.0.add(0, u64::MAX);
    }
}

/// How long things took.
#[derive(Debug, Clone)]
pub struct Histogram(pub(crate) Arc<Series>);

impl Histogram {
    /// One more that took so long.
    pub fn record(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        // Most answers are in the first buckets, so that looking from the front is quicker than halving.
        let bounds = self.0.bounds;
        let bucket = bounds.iter().position(|bound| nanos <= *bound).unwrap_or(bounds.len());
        self.0.add(bucket + 1, 1);
        self.0.add(0, nanos);
    }
}

thread_local! {
    /// The number of this thread; as large as can be until it has one.
    static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
}

#[cold]
fn number_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    MINE.with(|mine| mine.set(number));
    number
}

/// A power of two: at least two for each core, since threads that read and threads that render are together more than cores.
fn stripes() -> usize {
    static STRIPES: OnceLock<usize> = OnceLock::new();
    *STRIPES.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        (cores * 2).next_power_of_two().min(MOST_STRIPES)
    })
}

/// The bounds of a histogram in nanoseconds: made once for each list that there is.
fn bounds(kind: Kind) -> &'static [u64] {
    use crate::names::metrics::{DB_BUCKETS, HTTP_BUCKETS};
    static HTTP: OnceLock<Vec<u64>> = OnceLock::new();
    static DB: OnceLock<Vec<u64>> = OnceLock::new();
    let nanos = |bounds: &[f64]| -> Vec<u64> {
        let of = |bound: &f64| Duration::from_secs_f64(*bound).as_nanos();
        bounds.iter().map(|bound| u64::try_from(of(bound)).unwrap_or(u64::MAX)).collect()
    };
    match kind {
        Kind::Histogram(bounds) if bounds == HTTP_BUCKETS => HTTP.get_or_init(|| nanos(HTTP_BUCKETS)),
        Kind::Histogram(_) => DB.get_or_init(|| nanos(DB_BUCKETS)),
        Kind::Counter { .. } | Kind::Gauge | Kind::UpDown => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::metrics::{
        BUSINESS_VALUE, CACHE_REQUESTS, CACHE_SAVED_TIME, HTTP_SERVER_ACTIVE_REQUESTS,
        HTTP_SERVER_REQUEST_DURATION,
    };

    #[test]
    fn threads_add_up_to_what_they_were_told() {
        let of = |metric| Arc::new(Series::new(metric, &[]));
        let (counted, active) = (of(&CACHE_REQUESTS), of(&HTTP_SERVER_ACTIVE_REQUESTS));
        let took = of(&HTTP_SERVER_REQUEST_DURATION);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (counted, active) = (Counter(counted.clone()), UpDown(active.clone()));
                let took = Histogram(took.clone());
                scope.spawn(move || {
                    for _ in 0..10_000 {
                        counted.add(2);
                        // One half goes up where another goes down.
                        if thread % 2 == 0 {
                            active.up()
                        } else {
                            active.down()
                        }
                        took.record(Duration::from_millis(thread * 10));
                    }
                });
            }
        });
        assert_eq!((counted.counted(), active.difference()), (160_000.0, 0.0));
        let (buckets, sum) = took.distribution();
        assert_eq!(buckets.iter().sum::<u64>(), 80_000);
        assert_eq!(buckets[..6], [10_000, 10_000, 10_000, 30_000, 20_000, 0]);
        assert!((sum - 2_800.0).abs() < 1e-6, "{sum}");
    }

    #[test]
    fn fractions_are_kept_and_what_would_shrink_a_counter_is_not_taken() {
        let value = Counter(Arc::new(Series::new(&BUSINESS_VALUE, &[])));
        for amount in [19.99, 0.000_001, -5.0, f64::NAN, f64::INFINITY, 0.0] {
            value.add_amount(amount);
        }
        assert!((value.0.counted() - 19.990_001).abs() < 1e-9);
        let saved = Counter(Arc::new(Series::new(&CACHE_SAVED_TIME, &[])));
        saved.add_duration(Duration::from_micros(1_500));
        assert!((saved.0.counted() - 0.001_5).abs() < 1e-12);
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let took = Histogram(Arc::new(Series::new(&HTTP_SERVER_REQUEST_DURATION, &[])));
        took.record(Duration::from_millis(5));
        took.record(Duration::from_micros(5_001));
        took.record(Duration::from_secs(11));
        let (buckets, _) = took.0.distribution();
        assert_eq!((buckets[0], buckets[1], buckets[14]), (1, 1, 1));
    }
}
