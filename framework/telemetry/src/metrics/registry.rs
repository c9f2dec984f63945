//! Which series there are.

use super::{
    series::{Counter, Histogram, Series, UpDown},
    snapshot::{Family, Point, Snapshot, Value},
};
use crate::names::metrics::{self as names, Kind, Metric, OTHER};
use arc_swap::ArcSwap;
use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// The most series of one metric: OpenTelemetry's own bound. What comes beyond goes to one series in which every attribute
/// is `_OTHER`.
pub const MOST_SERIES: usize = 2_000;

/// All metrics and their series. Cloning gives another handle on the same.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    families: HashMap<&'static str, SeriesOf>,
    hasher: RandomState,
    overflowed: Counter,
    sources: Mutex<Vec<Source>>,
}

/// The series of one metric. Readers look without a lock and write to nothing that is shared.
struct SeriesOf {
    metric: &'static Metric,
    known: ArcSwap<Known>,
    adding: Mutex<()>,
    overflow: OnceLock<Arc<Series>>,
}

/// By a hash of their attributes; those that share one stand beside each other.
type Known = HashMap<u64, Vec<Arc<Series>>>;

/// Tells numbers that exist elsewhere already, whenever somebody asks.
type Source = Box<dyn Fn(&mut Observed) + Send + Sync>;

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// A registry of all metrics, without a series yet.
    pub fn new() -> Self {
        let family = |metric: &&'static Metric| {
            let (known, adding, overflow) = (ArcSwap::default(), Mutex::default(), OnceLock::new());
            (metric.name, SeriesOf { metric, known, adding, overflow })
        };
        Self(Arc::new(Inner {
            families: names::ALL.iter().map(family).collect(),
            hasher: RandomState::new(),
            overflowed: Counter(Arc::new(Series::new(&names::TELEMETRY_SERIES_OVERFLOWED, &[]))),
            sources: Mutex::default(),
        }))
    }

    /// The series of a counter under these attributes, in the order of the metric's; an empty one is absent. Take it once
    /// where it is used often: this looks it up.
    pub fn counter(&self, metric: &Metric, labels: &[&str]) -> Counter {
        Counter(self.series(metric, labels))
    }

    /// The same of a histogram.
    pub fn histogram(&self, metric: &Metric, labels: &[&str]) -> Histogram {
        Histogram(self.series(metric, labels))
    }

    /// The same of what goes up and down.
    pub fn up_down(&self, metric: &Metric, labels: &[&str]) -> UpDown {
        UpDown(self.series(metric, labels))
    }

    /// Has `source` tell numbers that exist elsewhere, such as those of pools, at each snapshot. It must not wait.
    pub fn observe(&self, source: impl Fn(&mut Observed) + Send + Sync + 'static) {
        self.0.sources.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(source));
    }

    /// All numbers now.
    pub fn snapshot(&self) -> Snapshot {
        let mut observed = Observed(HashMap::new());
        for source in &*self.0.sources.lock().unwrap_or_else(PoisonError::into_inner) {
            source(&mut observed);
        }
        observed.put(&names::TELEMETRY_SERIES_OVERFLOWED, &[], self.0.overflowed.0.counted());
        let family = |metric: &&'static Metric| {
            let mut points: Vec<Point> = match self.0.families.get(metric.name) {
                Some(family) => family.points(),
                None => Vec::new(),
            };
            points.extend(observed.0.remove(metric.name).unwrap_or_default());
            points.sort_by(|a, b| a.labels.cmp(&b.labels));
            Family { metric, points }
        };
        Snapshot { families: names::ALL.iter().map(family).collect() }
    }

    fn series(&self, metric: &Metric, labels: &[&str]) -> Arc<Series> {
        debug_assert_eq!(metric.labels.len(), labels.len(), "{} has other attributes", metric.name);
        let Some(family) = self.0.families.get(metric.name) else {
            // Of no table: counted, and shown nowhere.
            debug_assert!(false, "{} is not in the table", metric.name);
            return Arc::new(Series::new(metric, labels));
        };
        let hash = self.0.hasher.hash_one(labels);
        if let Some(series) = find(&family.known.load(), hash, labels) {
            return series;
        }
        let _adding = family.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let known = family.known.load();
        if let Some(series) = find(&known, hash, labels) {
            return series;
        }
        if known.len() >= MOST_SERIES {
            self.0.overflowed.add(1);
            let others = vec![OTHER; metric.labels.len()];
            return family.overflow.get_or_init(|| Arc::new(Series::new(metric, &others))).clone();
        }
        let mut more = Known::clone(&known);
        let series = Arc::new(Series::new(metric, labels));
        more.entry(hash).or_default().push(series.clone());
        family.known.store(Arc::new(more));
        series
    }
}

fn find(known: &Known, hash: u64, labels: &[&str]) -> Option<Arc<Series>> {
    let same = |series: &&Arc<Series>| {
        series.labels.len() == labels.len()
            && series.labels.iter().zip(labels).all(|(known, asked)| **known == **asked)
    };
    known.get(&hash)?.iter().find(same).cloned()
}

impl SeriesOf {
    fn points(&self) -> Vec<Point> {
        let known = self.known.load();
        let all = known.values().flatten().chain(self.overflow.get());
        let value = |series: &Series| match self.metric.kind {
            Kind::Histogram(_) => {
                let (buckets, sum) = series.distribution();
                Value::Distribution { buckets, sum }
            }
            Kind::Counter { .. } => Value::Number(series.counted()),
            Kind::Gauge | Kind::UpDown => Value::Number(series.difference()),
        };
        all.map(|series| Point { labels: series.labels.clone(), value: value(series) }).collect()
    }
}

/// What sources tell.
#[derive(Debug)]
pub struct Observed(HashMap<&'static str, Vec<Point>>);

impl Observed {
    /// A number under these attributes, in the order of the metric's. Beyond [`MOST_SERIES`] of one metric, nothing is
    /// taken.
    pub fn put(&mut self, metric: &Metric, labels: &[&str], number: f64) {
        debug_assert_eq!(metric.labels.len(), labels.len(), "{} has other attributes", metric.name);
        let points = self.0.entry(metric.name).or_default();
        if points.len() < MOST_SERIES {
            let labels = labels.iter().map(|label| Box::from(*label)).collect();
            points.push(Point { labels, value: Value::Number(number) });
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::metrics::{CACHE_REQUESTS, LIVE_FRAMES, RENDER_DURATION};
    use proptest::prelude::*;
    use std::{collections::BTreeMap, time::Duration};

    fn family(registry: &Registry, metric: &Metric) -> Family {
        registry.snapshot().families.into_iter().find(|family| family.metric.name == metric.name).unwrap()
    }

    proptest! {
        #[test]
        fn it_counts_as_a_plain_map_does(
            steps in proptest::collection::vec((0_usize..6, 0_usize..3, 1_u64..5, 0_u64..20_000), 0..200),
        ) {
            let registry = Registry::new();
            let (mut counts, mut times) = (BTreeMap::new(), BTreeMap::new());
            for (route, outcome, number, ms) in steps {
                let route = format!("/{route}");
                let outcome = ["ok", "failed", ""][outcome];
                registry.counter(&LIVE_FRAMES, &[&route]).add(number);
                *counts.entry(route.clone()).or_insert(0) += number;
                let labels = [route.as_str(), "isr", "request", outcome];
                registry.histogram(&RENDER_DURATION, &labels).record(Duration::from_millis(ms));
                times.entry(labels.map(str::to_owned)).or_insert_with(Vec::new).push(ms);
            }
            let frames = family(&registry, &LIVE_FRAMES);
            prop_assert_eq!(frames.points.len(), counts.len());
            for (point, (route, count)) in frames.points.iter().zip(&counts) {
                prop_assert_eq!(&*point.labels[0], route.as_str());
                prop_assert_eq!(&point.value, &Value::Number(*count as f64));
            }
            let renders = family(&registry, &RENDER_DURATION);
            prop_assert_eq!(renders.points.len(), times.len());
            for (point, (labels, times)) in renders.points.iter().zip(&times) {
                let known: Vec<&str> = point.labels.iter().map(|label| &**label).collect();
                prop_assert_eq!(known, labels.iter().map(String::as_str).collect::<Vec<_>>());
                let Value::Distribution { buckets, sum } = &point.value else { panic!("no histogram") };
                let total: u64 = times.iter().sum();
                prop_assert!((sum - total as f64 / 1000.0).abs() < 1e-6);
                let Kind::Histogram(bounds) = RENDER_DURATION.kind else { panic!("no histogram") };
                let mut below = 0.0;
                for (bucket, bound) in buckets.iter().zip(bounds.iter().chain([&f64::INFINITY])) {
                    let expected = times.iter().filter(|ms| {
                        let seconds = **ms as f64 / 1000.0;
                        (seconds > below || below == 0.0) && seconds <= *bound
                    });
                    prop_assert_eq!(*bucket, expected.count() as u64);
                    below = *bound;
                }
            }
        }
    }

    #[test]
    fn series_are_bounded_and_nothing_is_lost_beyond() {
        let registry = Registry::new();
        for route in 0..MOST_SERIES + 500 {
            registry.counter(&LIVE_FRAMES, &[&format!("/{route}")]).add(1);
        }
        let frames = family(&registry, &LIVE_FRAMES);
        assert_eq!(frames.points.len(), MOST_SERIES + 1);
        let other = frames.points.iter().find(|point| *point.labels[0] == *OTHER).unwrap();
        assert_eq!(other.value, Value::Number(500.0));
        let overflowed = family(&registry, &names::TELEMETRY_SERIES_OVERFLOWED);
        assert_eq!(overflowed.points[0].value, Value::Number(500.0));
    }

    #[test]
    fn a_series_is_the_same_whoever_takes_it_and_when() {
        let registry = Registry::new();
        let labels = ["page", "hit", "fresh", "/a"];
        let before = registry.counter(&CACHE_REQUESTS, &labels);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| registry.counter(&CACHE_REQUESTS, &labels).add(1)));
            }
        });
        before.add(1);
        let requests = family(&registry, &CACHE_REQUESTS);
        assert_eq!(requests.points.len(), 1);
        assert_eq!(requests.points[0].value, Value::Number(401.0));
    }

    #[test]
    fn what_exists_elsewhere_is_read_when_somebody_asks() {
        let registry = Registry::new();
        let open = Arc::new(Mutex::new(1.0));
        let source = open.clone();
        registry.observe(move |observed| observed.put(&names::LIVE_SESSIONS, &[], *source.lock().unwrap()));
        *open.lock().unwrap() = 7.0;
        assert_eq!(family(&registry, &names::LIVE_SESSIONS).points[0].value, Value::Number(7.0));
    }
}
