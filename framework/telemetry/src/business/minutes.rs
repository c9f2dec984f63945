//! The last hour, minute by minute, of each name: what the dashboard draws beside latency.

use super::Currency;
use std::collections::{BTreeMap, VecDeque};

/// Minutes that are kept.
const HOUR: u64 = 60;

/// Names, each with its currency, that have an hour of their own; the first that come. 64 × 60 minutes are 100 KiB.
const MOST_SERIES: usize = 64;

/// What happened in one minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Minute {
    /// Which minute, since 1970.
    pub number: u64,
    /// How often something was counted or added.
    pub count: u64,
    /// How many, or how many smallest units of the currency: what was given back is taken off.
    pub amount: i128,
}

/// The last hour of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The name.
    pub name: String,
    /// The currency; `None` of what is counted.
    pub currency: Option<Currency>,
    /// All 60 minutes, the oldest first.
    pub minutes: Vec<Minute>,
}

/// Only minutes in which something happened.
#[derive(Debug, Default)]
pub(super) struct Minutes(BTreeMap<(String, Option<Currency>), VecDeque<Minute>>);

impl Minutes {
    pub(super) fn add(&mut self, name: &str, currency: Option<Currency>, number: u64, amount: i128) {
        let key = (name.to_owned(), currency);
        if self.0.len() >= MOST_SERIES && !self.0.contains_key(&key) {
            return;
        }
        let minutes = self.0.entry(key).or_default();
        while minutes.front().is_some_and(|oldest| oldest.number + HOUR <= number) {
            minutes.pop_front();
        }
        // A wall clock that is set back counts into the minute that it was.
        match minutes.back_mut().filter(|last| last.number >= number) {
            Some(last) => last.add(amount),
            None => {
                let mut minute = Minute { number, ..Minute::default() };
                minute.add(amount);
                minutes.push_back(minute);
            }
        }
    }

    pub(super) fn last_hour(&self, now: u64) -> Vec<Series> {
        let first = now.saturating_sub(HOUR - 1);
        let series = self.0.iter().map(|((name, currency), minutes)| Series {
            name: name.clone(),
            currency: *currency,
            minutes: (first..=now)
                .map(|number| {
                    let known = minutes.iter().find(|minute| minute.number == number);
                    known.copied().unwrap_or(Minute { number, ..Minute::default() })
                })
                .collect(),
        });
        series.collect()
    }
}

impl Minute {
    fn add(&mut self, amount: i128) {
        self.count = self.count.saturating_add(1);
        self.amount = self.amount.saturating_add(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let mut minutes = Minutes::default();
        for number in 1_000..1_100 {
            minutes.add("orders", None, number, 2);
            minutes.add("orders", None, number, 1);
        }
        assert_eq!(minutes.0.values().next().map(VecDeque::len), Some(60));
        let [series] = minutes.last_hour(1_101).try_into().unwrap();
        assert_eq!(series.minutes.len(), 60);
        assert_eq!((series.minutes[0].number, series.minutes[0].amount), (1_042, 3));
        assert_eq!(series.minutes[57], Minute { number: 1_099, count: 2, amount: 3 });
        assert_eq!(series.minutes[59], Minute { number: 1_101, count: 0, amount: 0 });
    }

    #[test]
    fn a_clock_that_is_set_back_loses_nothing() {
        let mut minutes = Minutes::default();
        minutes.add("orders", None, 1_000, 1);
        minutes.add("orders", None, 990, 1);
        assert_eq!(minutes.last_hour(1_000)[0].minutes[59].amount, 2);
    }
}
