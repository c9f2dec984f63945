//! Whether a failed try is followed by another, and when. Pure.
//!
//! By the OTLP specification, "Failures" of OTLP/HTTP and of OTLP/gRPC.

use http::{HeaderMap, StatusCode, header};
use std::time::{Duration, UNIX_EPOCH};
use tropos_core::UnixMillis;

/// The first pause. As other exporters have it: a collector that restarts is back in some of these.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// No pause is longer: the time for one message is ten seconds by default, and should see more than one try.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tried {
    /// Taken; with what the collector said of parts that it refused.
    Taken(super::Sent),
    /// Not taken, and perhaps later; at once after so long, where the collector named a time.
    Later(String, Option<Duration>),
    /// Not taken, and never will be.
    Never(String),
}

/// How long to wait before the next try; `None` where there is none. `tries` were made, `left` is what remains of the time for
/// the message, and `chance` (0 to 1) spreads those who failed together.
pub(crate) fn pause(tries: u32, named: Option<Duration>, left: Duration, chance: f64) -> Option<Duration> {
    let doubled = FIRST_PAUSE.saturating_mul(1 << tries.saturating_sub(1).min(8)).min(LONGEST_PAUSE);
    // Half of it is certain, so that nobody tries at once again.
    let own = doubled.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0));
    // What the collector says goes first, be it longer.
    let pause = named.unwrap_or(own);
    (pause < left).then_some(pause)
}

/// Whether an answer of this status may be followed by another try (OTLP/HTTP, "Retryable Response Codes").
pub(crate) fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// The time that `Retry-After` names (RFC 9110 §10.2.3): seconds, or a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: UnixMillis) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(at.saturating_sub(Duration::from_millis(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound_and_end_with_the_time() {
        let s = Duration::from_secs;
        let long = s(60);
        for (name, tries, named, left, chance, expected) in [
            ("the first", 1, None, long, 1.0, Some(s(1))),
            ("the first, by chance", 1, None, long, 0.0, Some(Duration::from_millis(500))),
            ("the second", 2, None, long, 1.0, Some(s(2))),
            ("the third", 3, None, long, 1.0, Some(s(4))),
            ("bounded", 9, None, long, 1.0, Some(s(5))),
            ("never more than that", u32::MAX, None, long, 1.0, Some(s(5))),
            ("as the collector says", 1, Some(s(7)), long, 0.0, Some(s(7))),
            ("longer than there is time", 1, Some(s(7)), s(6), 0.0, None),
            ("no time left", 1, None, Duration::ZERO, 0.0, None),
        ] {
            assert_eq!(pause(tries, named, left, chance), expected, "{name}");
        }
    }

    #[test]
    fn a_time_is_named_in_seconds_or_as_a_date() {
        let now = 784_111_770_000; // seven seconds before the date of RFC 9110 §5.6.7
        for (text, expected) in [
            ("3", Some(3_000)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7_000)),
            ("Sun, 06 Nov 1994 08:49:29 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_millis), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn the_four_statuses_of_the_specification_pass() {
        let passing: Vec<u16> =
            (100..600).filter(|code| is_passing(StatusCode::from_u16(*code).unwrap())).collect();
        assert_eq!(passing, [429, 502, 503, 504]);
    }
}
