//! Business figures, and latency by what the cache did, minute by minute.

use super::{
    estimate::percentile,
    requests::{Line, RESULTS, traces},
};
use crate::Site;
use std::{collections::BTreeMap, time::Duration};
use tropos_telemetry::business::Series;

/// Nanoseconds of a minute.
const MINUTE: u64 = 60_000_000_000;

/// What happened in the last hour.
#[derive(Debug, Default)]
pub(in super::super) struct Hour {
    /// Each name with its 60 minutes.
    pub(in super::super) figures: Vec<Series>,
    /// Requests that are kept, by what the cache did.
    pub(in super::super) by_result: Vec<(&'static str, Times)>,
    /// The minutes in which something happened, the latest first.
    pub(in super::super) minutes: Vec<Minute>,
}

/// One minute.
#[derive(Debug, Default)]
pub(in super::super) struct Minute {
    /// Since 1970.
    pub(in super::super) number: u64,
    /// For each series of the hour, in the same order: how many, or how much in the smallest unit.
    pub(in super::super) amounts: Vec<i128>,
    /// For each of [`RESULTS`].
    pub(in super::super) times: Vec<Times>,
}

/// How long requests took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Times(Vec<Duration>);

impl Times {
    pub(in super::super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(in super::super) fn percentile(&self, share: f64) -> Option<Duration> {
        percentile(&self.0, share)
    }
}

impl Hour {
    pub(in super::super) fn of(site: &Site) -> Self {
        let lines = traces(site).iter().filter_map(|trace| Line::of(trace)).collect();
        Self::made_of(site.figures.last_hour(), lines)
    }

    fn made_of(figures: Vec<Series>, lines: Vec<Line>) -> Self {
        let mut samples: BTreeMap<(u64, usize), Vec<Duration>> = BTreeMap::new();
        let mut all: Vec<Vec<Duration>> = vec![Vec::new(); RESULTS.len()];
        for line in lines.iter().filter(|line| line.is_request) {
            let Some(cached) = &line.cached else { continue };
            let Some(result) = RESULTS.iter().position(|result| *result == cached.result) else { continue };
            samples.entry((line.at / MINUTE, result)).or_default().push(line.took);
            if let Some(all) = all.get_mut(result) {
                all.push(line.took);
            }
        }
        let mut numbers: Vec<u64> = samples.keys().map(|(minute, _)| *minute).collect();
        let told = figures.iter().flat_map(|series| &series.minutes);
        numbers.extend(told.filter(|minute| minute.count > 0).map(|minute| minute.number));
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        numbers.dedup();
        numbers.truncate(60);
        let minutes = numbers.into_iter().map(|number| Minute {
            number,
            amounts: figures.iter().map(|series| amount(series, number)).collect(),
            times: (0..RESULTS.len())
                .map(|result| sorted(samples.remove(&(number, result)).unwrap_or_default()))
                .collect(),
        });
        let minutes = minutes.collect();
        let by_result = RESULTS.into_iter().zip(all.into_iter().map(sorted)).collect();
        Self { figures, by_result, minutes }
    }
}

fn sorted(mut times: Vec<Duration>) -> Times {
    times.sort_unstable();
    Times(times)
}

fn amount(series: &Series, number: u64) -> i128 {
    series.minutes.iter().find(|minute| minute.number == number).map_or(0, |minute| minute.amount)
}

#[cfg(test)]
mod tests {
    use super::{super::requests::cached, *};
    use tropos_telemetry::{
        business::{Attached, Figures},
        trace::TraceId,
    };

    fn line(minute: u64, millis: u64, status: &str) -> Line {
        Line {
            id: TraceId::random(),
            at: minute * MINUTE + 5,
            took: Duration::from_millis(millis),
            is_request: true,
            name: "GET /a".to_owned(),
            method: None,
            route: None,
            path: None,
            mode: None,
            status: Some(200),
            cached: cached(status),
            failed: false,
            left: false,
            spans: 1,
            queries: 0,
        }
    }

    #[test]
    fn figures_stand_beside_the_latency_of_their_minute() {
        let clock = tropos_core::ManualClock::new();
        let figures = Figures::new(std::sync::Arc::new(clock.clone()));
        figures.count("orders", 3, &Attached::default()).unwrap();
        let now = tropos_core::Clock::wall(&clock) / 60_000;
        let hit = "tropos; hit; ttl=5";
        let mut lines: Vec<Line> = (1..=100).map(|millis| line(now, millis, hit)).collect();
        lines.push(line(now - 1, 7, "tropos; fwd=uri-miss; stored"));
        lines.push(Line { is_request: false, ..line(now - 2, 9, hit) });
        lines.push(Line { cached: None, ..line(now - 3, 9, hit) });
        let hour = Hour::made_of(figures.last_hour(), lines);

        let seen: Vec<_> =
            hour.minutes.iter().map(|minute| (minute.number, minute.amounts.clone())).collect();
        assert_eq!(
            seen,
            [(now, vec![3]), (now - 1, vec![0])],
            "the latest first, no minute without anything"
        );
        let first = &hour.minutes[0].times[0];
        assert_eq!((first.count(), first.percentile(0.95)), (100, Some(Duration::from_millis(95))));
        let by_result: Vec<_> =
            hour.by_result.iter().map(|(result, times)| (*result, times.count())).collect();
        assert_eq!(by_result, [("hit", 100), ("stale", 0), ("miss", 1), ("bypass", 0)]);
    }
}
