//! How far a replica is behind, in bytes and in time. Pure: time is handed in.

use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// So many looks at the primary are remembered: at four a second, a minute.
const MOST: usize = 240;

/// How far behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lag {
    /// Bytes of log that the replica has not replayed.
    pub bytes: u64,
    /// How long ago the primary stood where the replica stands, as seen from here: no clock of a server is asked.
    pub time: Duration,
}

/// Where the primary's log stood at each look.
#[derive(Debug, Default)]
pub(crate) struct History(VecDeque<(Instant, u64)>);

impl History {
    /// The primary stood at `position`.
    pub(crate) fn saw(&mut self, now: Instant, position: u64) {
        // Another primary, whose log is shorter: what was seen of the former says nothing.
        if self.0.back().is_some_and(|(_, last)| position < *last) {
            self.0.clear();
        }
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((now, position));
    }

    /// The primary's last look: when it was, and where the log stood.
    pub(crate) fn last(&self) -> Option<(Instant, u64)> {
        self.0.back().copied()
    }

    /// How far behind the primary's last look a replica is that has replayed up to `position`.
    ///
    /// By the last look, not by now: while the primary is away nobody falls behind it.
    pub(crate) fn lag(&self, position: u64) -> Lag {
        let Some((last_seen, last)) = self.0.back() else { return Lag::default() };
        let passed = self.0.iter().find(|(_, at)| *at > position);
        Lag {
            bytes: last.saturating_sub(position),
            time: passed.map_or(Duration::ZERO, |(at, _)| last_seen.duration_since(*at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lag_is_the_time_since_the_primary_went_past() {
        let start = Instant::now();
        let seconds = |count| start + Duration::from_secs(count);
        let mut history = History::default();
        assert_eq!(history.lag(5), Lag::default());
        for (second, position) in [(0, 100), (1, 100), (2, 200), (3, 300), (4, 300)] {
            history.saw(seconds(second), position);
        }
        for (position, bytes, time) in
            [(300, 0, 0), (400, 0, 0), (250, 50, 1), (200, 100, 1), (150, 150, 2), (0, 300, 4)]
        {
            assert_eq!(history.lag(position), Lag { bytes, time: Duration::from_secs(time) }, "{position}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn another_primary_with_a_shorter_log_begins_anew_and_memory_is_bounded() {
        let start = Instant::now();
        let mut history = History::default();
        for position in 0..1_000 {
            history.saw(start, 1_000 + position);
        }
        assert_eq!(history.0.len(), MOST);
        history.saw(start, 10);
        assert_eq!(history.lag(10), Lag::default());
    }
}
