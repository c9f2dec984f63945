//! Whether a series of measures has ceased to grow.

use std::fmt;

/// What a measure is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// No measure may be above it.
    pub bound: Option<u64>,
    /// By so much the last third may be above the middle one, besides a tenth: for what comes in lumps.
    pub slack: u64,
}

/// A series and what it is held to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// What was measured.
    pub name: &'static str,
    /// In the order of time.
    pub measures: Vec<u64>,
    /// What they are held to.
    pub limits: Limits,
}

impl Series {
    /// What is wrong with it, if anything.
    ///
    /// The first third may grow as it likes: caches fill. What grows steadily from nothing is half as much again in
    /// the last third as in the middle one.
    pub fn problem(&self) -> Option<String> {
        let Self { name, measures, limits } = self;
        let third = measures.len() / 3;
        if third == 0 {
            return Some(format!("{name}: {} measures are too few to tell", measures.len()));
        }
        let highest = measures.iter().copied().max().unwrap_or(0);
        if let Some(bound) = limits.bound.filter(|bound| highest > *bound) {
            return Some(format!("{name}: {highest} is above the bound of {bound}"));
        }
        let (middle, last) = self.thirds();
        // What is held of a bound varies with what was asked for last: an eighth of it is chance, not growth.
        let chance = (middle / 10).max(limits.bound.unwrap_or(0) / 8);
        let allowed = middle.saturating_add(chance).saturating_add(limits.slack);
        (last > allowed).then(|| format!("{name}: still grows, from {middle} to {last}"))
    }

    /// The highest of the middle third, and of the last.
    fn thirds(&self) -> (u64, u64) {
        let third = self.measures.len() / 3;
        let mut latest = self.measures.iter().rev().copied();
        let mut highest = || latest.by_ref().take(third).max().unwrap_or(0);
        let last = highest();
        (highest(), last)
    }
}

/// `{:#}` shows the measures too.
impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (middle, last) = self.thirds();
        let bound = self.limits.bound.map_or("none".to_owned(), |bound| bound.to_string());
        let mark = if self.problem().is_none() { "ok  " } else { "FAIL" };
        write!(f, "{mark} {:<22} middle {middle:>10}  last {last:>10}  bound {bound:>10}", self.name)?;
        if f.alternate() {
            write!(f, "\n     {:?}", self.measures)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name, the measures, the bound, the slack, and whether it holds.
    type Case = (&'static str, Vec<u64>, Option<u64>, u64, bool);

    #[test]
    fn a_series_holds_if_it_keeps_its_bound_and_its_last_third_is_no_higher_than_the_middle_one() {
        let cases: &[Case] = &[
            ("flat", vec![5; 9], None, 0, true),
            ("fills, then stays", vec![10, 50, 90, 100, 100, 99, 100, 98, 100], Some(100), 0, true),
            ("steady growth", (1..=9).map(|n| n * 10).collect(), None, 0, false),
            ("steady growth within its bound", (1..=9).map(|n| n * 10).collect(), Some(100), 0, false),
            ("growth over a base", (1..=9).map(|n| 1_000 + n * 100).collect(), None, 50, false),
            ("up and down", vec![1, 9, 1, 9, 1, 9, 1, 9, 1], None, 0, true),
            ("above its bound once", vec![1, 1, 8, 1, 1, 1, 1, 1, 1], Some(7), 0, false),
            ("a lump within the slack", vec![10, 10, 10, 10, 10, 10, 10, 14, 10], None, 3, true),
            ("a lump beyond the slack", vec![10, 10, 10, 10, 10, 10, 10, 15, 10], None, 3, false),
            ("falls", vec![9, 8, 7, 6, 5, 4, 3, 2, 1], None, 0, true),
            ("too short", vec![1, 1], None, 0, false),
        ];
        for (name, measures, bound, slack, holds) in cases {
            let limits = Limits { bound: *bound, slack: *slack };
            let series = Series { name: "it", measures: measures.clone(), limits };
            assert_eq!(series.problem().is_none(), *holds, "{name}: {:?}", series.problem());
            assert_eq!(series.to_string().starts_with("ok"), *holds, "{name}");
        }
    }
}
