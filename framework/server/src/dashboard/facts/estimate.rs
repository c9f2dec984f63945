//! Percentiles: of histograms by estimate, of samples exactly. Pure.

use std::time::Duration;

/// What a histogram tells of a percentile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) enum Estimate {
    /// Below the first bound, in seconds: a histogram knows no more.
    Below(f64),
    /// About so many seconds: between two bounds all values are taken to be spread evenly.
    About(f64),
    /// Above the last bound.
    Above(f64),
}

impl Estimate {
    /// For sorting, and for bars.
    pub(in super::super) fn seconds(self) -> f64 {
        match self {
            Self::Below(bound) => bound / 2.0,
            Self::About(seconds) | Self::Above(seconds) => seconds,
        }
    }
}

/// A histogram: of several series together, where they have the same bounds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct Histogram {
    bounds: &'static [f64],
    buckets: Vec<u64>,
    sum: f64,
}

impl Histogram {
    pub(in super::super) fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, buckets: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    /// Adds a series.
    pub(in super::super) fn add(&mut self, buckets: &[u64], sum: f64) {
        for (all, more) in self.buckets.iter_mut().zip(buckets) {
            *all = all.saturating_add(*more);
        }
        self.sum += sum;
    }

    pub(in super::super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// All of it together, in seconds.
    pub(in super::super) fn sum(&self) -> f64 {
        self.sum
    }

    /// The mean, in seconds: exact, unlike the percentiles.
    pub(in super::super) fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum / count as f64)
    }

    /// The value that a share of all is at most; `None` of nothing.
    pub(in super::super) fn percentile(&self, share: f64) -> Option<Estimate> {
        let count = self.count();
        let first = *self.bounds.first()?;
        if count == 0 {
            return None;
        }
        let wanted = (share * count as f64).ceil().max(1.0);
        let (mut before, mut lower) = (0_u64, 0.0);
        for (at, in_bucket) in self.buckets.iter().enumerate() {
            let Some(upper) = self.bounds.get(at).copied() else {
                return Some(Estimate::Above(lower));
            };
            if (before + in_bucket) as f64 >= wanted {
                if at == 0 {
                    return Some(Estimate::Below(first));
                }
                let part = (wanted - before as f64) / (*in_bucket).max(1) as f64;
                return Some(Estimate::About(lower + (upper - lower) * part));
            }
            before += in_bucket;
            lower = upper;
        }
        Some(Estimate::Above(lower))
    }
}

/// The exact percentile of samples, which are sorted; `None` of nothing.
pub(in super::super) fn percentile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let wanted = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(wanted.min(sorted.len()).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Estimate::{About, Above, Below};

    #[test]
    fn a_histogram_tells_as_much_as_its_bounds_allow() {
        const BOUNDS: &[f64] = &[1.0, 2.0, 4.0];
        for (name, buckets, share, expected) in [
            ("nothing", [0, 0, 0, 0], 0.5, None),
            ("all in the first", [10, 0, 0, 0], 0.99, Some(Below(1.0))),
            ("the middle of the second", [0, 10, 0, 0], 0.5, Some(About(1.5))),
            ("the end of the second", [0, 10, 0, 0], 1.0, Some(About(2.0))),
            ("in the third", [5, 4, 1, 0], 0.99, Some(About(4.0))),
            ("at the border", [5, 5, 0, 0], 0.5, Some(Below(1.0))),
            ("beyond the last", [1, 0, 0, 1], 0.99, Some(Above(4.0))),
        ] {
            let mut histogram = Histogram::new(BOUNDS);
            histogram.add(&buckets, 0.0);
            assert_eq!(histogram.percentile(share), expected, "{name}");
        }
    }

    #[test]
    fn series_add_up() {
        let mut histogram = Histogram::new(&[1.0]);
        histogram.add(&[1, 2], 5.0);
        histogram.add(&[3, 0], 1.0);
        assert_eq!((histogram.count(), histogram.mean()), (6, Some(1.0)));
        assert_eq!(Histogram::new(&[1.0]).mean(), None);
    }

    #[test]
    fn samples_are_exact() {
        let millis =
            |of: &[u64]| -> Vec<Duration> { of.iter().map(|one| Duration::from_millis(*one)).collect() };
        let hundred = millis(&(1..=100).collect::<Vec<_>>());
        for (share, expected) in [(0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100), (0.0, 1)] {
            assert_eq!(percentile(&hundred, share), Some(Duration::from_millis(expected)), "{share}");
        }
        assert_eq!(percentile(&millis(&[7]), 0.99), Some(Duration::from_millis(7)));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
