//! How long to leave alone what has failed.

use std::time::Duration;

/// Short enough that a restart is hardly felt,
const FIRST: Duration = Duration::from_millis(100);

/// and long enough that a database which is down is not bothered.
const LONGEST: Duration = Duration::from_secs(10);

/// Pauses that double.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Backoff {
    pub(super) const fn new() -> Self {
        Self(FIRST)
    }

    /// The next pause: between a half of it and the whole, by a `share` of 0 to 1 that is drawn by chance, so that
    /// instances which lost one database do not come back as one.
    pub(super) fn next(&mut self, share: f64) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST);
        pause.mul_f64(0.5 + share.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_are_never_less_than_a_half() {
        let mut backoff = Backoff::new();
        let pauses: Vec<u128> = (0..9).map(|_| backoff.next(1.0).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(backoff.next(0.0), LONGEST / 2);
    }
}
