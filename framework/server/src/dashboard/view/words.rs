//! Times, sizes and ages as they are read. Pure.

use super::super::facts::estimate::Estimate;
use std::time::Duration;

/// A short time: `412 µs`, `3.1 ms`, `1.24 s`.
pub(super) fn time(took: Duration) -> String {
    seconds(took.as_secs_f64())
}

/// The same, of seconds.
pub(super) fn seconds(seconds: f64) -> String {
    let micros = seconds * 1e6;
    match micros {
        _ if micros < 999.5 => format!("{micros:.0} µs"),
        _ if micros < 99_950.0 => format!("{:.1} ms", micros / 1e3),
        _ if micros < 999_500.0 => format!("{:.0} ms", micros / 1e3),
        _ if seconds < 99.95 => format!("{seconds:.2} s"),
        _ => age(Duration::from_secs_f64(seconds.clamp(0.0, 1e9))),
    }
}

/// What a histogram tells.
pub(super) fn estimate(estimate: Option<Estimate>) -> String {
    match estimate {
        None => "–".to_owned(),
        Some(Estimate::Below(bound)) => format!("< {}", bound_of(bound)),
        Some(Estimate::About(about)) => seconds(about),
        Some(Estimate::Above(bound)) => format!("> {}", bound_of(bound)),
    }
}

/// A bound is a round number.
fn bound_of(seconds: f64) -> String {
    if seconds < 1.0 { format!("{} ms", (seconds * 1e3).round()) } else { format!("{seconds} s") }
}

/// A time that may be absent.
pub(super) fn maybe(took: Option<Duration>) -> String {
    took.map_or_else(|| "–".to_owned(), time)
}

/// How old something is: in one unit, so that it changes seldom.
pub(super) fn age(age: Duration) -> String {
    match age.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ ..3_600 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// Bytes: `812 B`, `12.4 kB`, `3.1 MB`.
pub(super) fn bytes(bytes: f64) -> String {
    match bytes {
        _ if bytes < 1_000.0 => format!("{bytes:.0} B"),
        _ if bytes < 999_950.0 => format!("{:.1} kB", bytes / 1e3),
        _ if bytes < 999_950_000.0 => format!("{:.1} MB", bytes / 1e6),
        _ => format!("{:.2} GB", bytes / 1e9),
    }
}

/// A whole number, in groups of three: `12,345`.
pub(super) fn number(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count of the metrics, which are numbers with a point.
pub(super) fn counted(count: f64) -> String {
    number(count.max(0.0) as u64)
}

/// A share in percent.
pub(super) fn percent(part: f64, whole: f64) -> String {
    // The sum of no numbers is a zero below zero.
    if whole <= 0.0 { "–".to_owned() } else { format!("{:.1} %", part.abs() / whole * 100.0) }
}

/// The time of the day of a moment, in UTC: `13:05:09.123`.
pub(super) fn clock(nanos: u64) -> String {
    let millis = nanos / 1_000_000;
    format!("{}:{:02}.{:03}", clock_of_minute(millis / 60_000), millis / 1_000 % 60, millis % 1_000)
}

/// The time of the day of a minute since 1970: `13:05`.
pub(super) fn clock_of_minute(minute: u64) -> String {
    format!("{:02}:{:02}", minute / 60 % 24, minute % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_as_many_digits_as_are_read() {
        for (micros, text) in [
            (0, "0 µs"),
            (412, "412 µs"),
            (3_149, "3.1 ms"),
            (99_900, "99.9 ms"),
            (412_400, "412 ms"),
            (999_900, "1.00 s"),
            (1_240_000, "1.24 s"),
            (150_000_000, "2 min"),
        ] {
            assert_eq!(time(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn what_a_histogram_does_not_know_is_not_said() {
        for (of, text) in [
            (None, "–"),
            (Some(Estimate::Below(0.005)), "< 5 ms"),
            (Some(Estimate::About(0.0123)), "12.3 ms"),
            (Some(Estimate::Above(10.0)), "> 10 s"),
        ] {
            assert_eq!(estimate(of), text);
        }
    }

    #[test]
    fn ages_sizes_and_counts_are_short() {
        for (seconds, text) in [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7_300, "2 h"), (400_000, "4 d")] {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
        for (size, text) in
            [(812.0, "812 B"), (12_400.0, "12.4 kB"), (3_100_000.0, "3.1 MB"), (2e9, "2.00 GB")]
        {
            assert_eq!(bytes(size), text);
        }
        for (count, text) in [(0_u64, "0"), (999, "999"), (12_345, "12,345"), (1_000_000, "1,000,000")] {
            assert_eq!(number(count), text);
        }
        assert_eq!((percent(1.0, 8.0), percent(0.0, 0.0)), ("12.5 %".to_owned(), "–".to_owned()));
        assert_eq!(percent([0.0_f64; 0].iter().sum(), 1.0), "0.0 %");
    }

    #[test]
    fn moments_are_of_the_day() {
        assert_eq!(clock(1_700_000_000_123_456_789), "22:13:20.123");
        assert_eq!(clock_of_minute(1_700_000_000 / 60), "22:13");
    }
}
