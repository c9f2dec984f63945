//! How old an answer is (RFC 9111 §4.2.3).

use super::directives::{MOST_SECONDS, Seconds};
use ::http::{HeaderMap, HeaderValue, header};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tropos_core::{Tick, UnixMillis};

/// When an answer was asked for and came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// When the request went out, by the monotonic clock.
    pub requested: Tick,
    /// When the answer's header had come, by the same clock.
    pub received: Tick,
    /// The same moment by the wall clock, to be compared with `Date`.
    pub received_wall: UnixMillis,
}

/// The age that an answer had when it came: what its `Age` says and how long it travelled, or what its `Date` says,
/// whichever is more.
///
/// An `Age` that is not one number makes the answer as old as any can be, and so stale. §5.1 would have it ignored, or
/// its first member believed; but a cache that cannot tell how old an answer is must not pass it for a fresh one, and
/// §4.2.1 encourages as much for other malformed fields.
pub fn initial(headers: &HeaderMap, exchange: &Exchange) -> Duration {
    // In whole seconds, as `Date` is: what came within the second in which it was made is not old yet.
    let received = exchange.received_wall / 1000;
    let apparent = date(headers).map_or(0, |made| received.saturating_sub(made));
    let delay = exchange.received.since(exchange.requested);
    let corrected = Duration::from_secs(age_value(headers)).saturating_add(delay);
    corrected.max(Duration::from_secs(apparent))
}

/// §5.1.
fn age_value(headers: &HeaderMap) -> u64 {
    let mut lines = headers.get_all(header::AGE).iter();
    match (lines.next(), lines.next()) {
        (None, _) => 0,
        (Some(line), None) => Seconds::parse(line.as_bytes()).valid().unwrap_or(MOST_SECONDS),
        (Some(_), Some(_)) => MOST_SECONDS,
    }
}

/// `Date`, in seconds since 1970, where there is a valid one (RFC 9110 §6.6.1).
pub(super) fn date(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::DATE).and_then(seconds)
}

/// A date of RFC 9110 §5.6.7, in seconds since 1970.
pub(super) fn seconds(value: &HeaderValue) -> Option<u64> {
    let date = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
    date.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// The value of `Date` for an answer that came without one (RFC 9110 §6.6.1).
pub(super) fn date_value(wall: UnixMillis) -> Option<HeaderValue> {
    // Further ahead than any date on the wire, and than what the formatter takes.
    const YEAR_9999: u64 = 253_402_300_799;
    let time: SystemTime = UNIX_EPOCH + Duration::from_secs((wall / 1000).min(YEAR_9999));
    HeaderValue::try_from(httpdate::fmt_http_date(time)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2020-01-01 00:00:10.
    const RECEIVED: UnixMillis = 1_577_836_810_900;

    fn age(fields: &[(&'static str, &'static str)], delay: i64) -> u64 {
        let mut headers = HeaderMap::new();
        fields.iter().for_each(|(name, value)| {
            headers.append(*name, HeaderValue::from_static(value));
        });
        let exchange = Exchange { requested: Tick(0), received: Tick(delay * 1000), received_wall: RECEIVED };
        initial(&headers, &exchange).as_secs()
    }

    #[test]
    fn the_greater_of_what_age_and_date_say() {
        let on_time = ("date", "Wed, 01 Jan 2020 00:00:10 GMT");
        let earlier = ("date", "Wed, 01 Jan 2020 00:00:00 GMT");
        let ahead = ("date", "Wed, 01 Jan 2020 00:01:00 GMT");
        for (fields, delay, expected) in [
            (&[][..], 0, 0),
            (&[on_time], 0, 0),
            (&[earlier], 0, 10),
            (&[ahead], 0, 0),
            (&[ahead, ("age", "7")], 0, 7),
            (&[earlier, ("age", "7")], 2, 10),
            (&[earlier, ("age", "9")], 2, 11),
            (&[("date", "yesterday"), ("age", "7")], 0, 7),
        ] {
            assert_eq!(age(fields, delay), expected, "{fields:?} {delay}");
        }
    }

    #[test]
    fn an_age_that_is_not_one_number_is_the_greatest() {
        for lines in
            [&["abc"][..], &["-1"], &["1.0"], &["7200, 0"], &["0, 0"], &["0;a=b"], &["0", "0"], &[""]]
        {
            let fields: Vec<_> = lines.iter().map(|line| ("age", *line)).collect();
            assert_eq!(age(&fields, 0), MOST_SECONDS, "{lines:?}");
        }
        assert_eq!(age(&[("age", "99999999999")], 0), MOST_SECONDS);
    }

    #[test]
    fn a_date_is_written_as_it_is_read() {
        assert_eq!(seconds(&date_value(RECEIVED).unwrap()), Some(RECEIVED / 1000));
        assert!(date_value(UnixMillis::MAX).is_some());
    }
}
