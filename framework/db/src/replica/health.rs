//! When a server that failed is tried again. Pure: time is handed in.

use std::time::Duration;
use tokio::time::Instant;

/// The first ban: longer than a hiccup of the network, shorter than anybody's patience with a slower page.
const FIRST: Duration = Duration::from_millis(500);

/// The longest: a server that comes and goes costs a few failed queries each time, so it is tried twice a minute.
const LONGEST: Duration = Duration::from_secs(30);

/// A server that has been well for so long has its bans forgotten.
const FORGIVEN_AFTER: Duration = Duration::from_secs(60);

/// Whether a replica may be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Health {
    /// Bans in a row.
    bans: u32,
    /// Until when it is banned; over only once it was seen well after that.
    until: Option<Instant>,
    /// Since when it has been well.
    well_since: Option<Instant>,
}

impl Health {
    /// It failed, or lags too far. During a ban this is no news.
    pub(crate) fn failed(&mut self, now: Instant) {
        if self.until.is_some_and(|until| now < until) {
            return;
        }
        let span = FIRST.saturating_mul(1 << self.bans.min(8)).min(LONGEST);
        *self = Self { bans: self.bans.saturating_add(1), until: Some(now + span), well_since: None };
    }

    /// It was looked at and found well.
    pub(crate) fn well(&mut self, now: Instant) {
        if self.until.is_some_and(|until| now < until) {
            return;
        }
        self.until = None;
        let since = *self.well_since.get_or_insert(now);
        if now.duration_since(since) >= FORGIVEN_AFTER {
            self.bans = 0;
        }
    }

    /// Whether it has been found well since it last failed.
    pub(crate) fn is_usable(&self) -> bool {
        self.until.is_none() && self.well_since.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[tokio::test(start_paused = true)]
    async fn bans_grow_and_end_by_themselves_once_the_server_is_found_well() {
        let start = Instant::now();
        let mut health = Health::default();
        assert!(!health.is_usable(), "nobody has looked yet");
        health.well(start);
        assert!(health.is_usable());
        let mut now = 0;
        for ban in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            health.failed(at(start, now));
            health.failed(at(start, now + 1)); // no news
            health.well(at(start, now + ban - 1));
            assert!(!health.is_usable(), "{ban} ms are not over");
            health.well(at(start, now + ban));
            assert!(health.is_usable(), "{ban} ms are over");
            now += ban;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_ban_that_is_over_goes_on_while_the_server_fails() {
        let start = Instant::now();
        let mut health = Health::default();
        health.failed(start);
        health.failed(at(start, 500));
        health.well(at(start, 1_499));
        assert!(!health.is_usable());
        health.well(at(start, 1_500));
        assert!(health.is_usable());
    }

    #[tokio::test(start_paused = true)]
    async fn a_minute_of_health_forgives() {
        let start = Instant::now();
        let mut health = Health::default();
        health.failed(start);
        health.failed(at(start, 500));
        health.well(at(start, 1_500));
        health.well(at(start, 61_500));
        health.failed(at(start, 62_000));
        health.well(at(start, 62_500));
        assert!(health.is_usable(), "the first ban is short again");
    }
}
