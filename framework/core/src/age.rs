//! How long an entry is fresh, and how long it may be served at all.

use crate::Error;
use std::{fmt, time::Duration};

/// The age after which an entry is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Revalidate {
    /// Only an invalidation makes it stale.
    Never,
    /// Stale once it is this old.
    After(Duration),
}

/// The two ages of an entry, checked against each other.
///
/// ```
/// use tropos_core::{Ages, Revalidate};
/// use std::time::Duration;
/// let ages = Ages::new(Revalidate::After(Duration::from_secs(60)), None).unwrap();
/// assert_eq!(ages.expire(), Some(Duration::from_secs(3600))); // 10 × revalidate, at least one hour
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ages {
    revalidate: Revalidate,
    expire: Option<Duration>,
}

/// The default for `expire` is this many times `revalidate`: a route survives an outage of its data that lasts nine
/// times as long as the route may be out of date, without anybody noticing more than age.
pub const EXPIRE_FACTOR: u32 = 10;

/// The default for `expire` is at least this: short intervals say how fresh a page should be when all is well, not how
/// soon it should vanish when its data source is down.
pub const EXPIRE_AT_LEAST: Duration = Duration::from_secs(3600);

impl Ages {
    /// An entry that only an invalidation ends.
    pub const NEVER: Ages = Ages { revalidate: Revalidate::Never, expire: None };

    /// Stale after `revalidate`, gone after `expire`, both counted from the start of the render.
    ///
    /// Without `expire`, ten times `revalidate` and at least an hour; none when `revalidate` is `never`.
    ///
    /// # Errors
    /// [`Error::ExpireBeforeRevalidate`].
    pub fn new(revalidate: Revalidate, expire: Option<Duration>) -> Result<Self, Error> {
        let expire = match (revalidate, expire) {
            (Revalidate::After(age), Some(expire)) if expire < age => {
                return Err(Error::ExpireBeforeRevalidate {
                    expire: Span(expire).to_string(),
                    revalidate: Span(age).to_string(),
                });
            }
            (_, Some(expire)) => Some(expire),
            (Revalidate::After(age), None) => Some(age.saturating_mul(EXPIRE_FACTOR).max(EXPIRE_AT_LEAST)),
            (Revalidate::Never, None) => None,
        };
        Ok(Self { revalidate, expire })
    }

    /// Two ages that a macro has checked already; `expire` is stretched to `revalidate` should it be shorter.
    #[doc(hidden)]
    pub const fn from_millis(revalidate: Option<u64>, expire: Option<u64>) -> Self {
        let expire = match (revalidate, expire) {
            (Some(age), Some(expire)) if expire < age => Some(age),
            (_, expire) => expire,
        };
        Self {
            revalidate: match revalidate {
                None => Revalidate::Never,
                Some(age) => Revalidate::After(Duration::from_millis(age)),
            },
            expire: match expire {
                None => None,
                Some(age) => Some(Duration::from_millis(age)),
            },
        }
    }

    /// The age after which the entry is stale.
    pub const fn revalidate(&self) -> Revalidate {
        self.revalidate
    }

    /// The age after which the entry may not be served at all; `None`: no such age.
    pub const fn expire(&self) -> Option<Duration> {
        self.expire
    }
}

/// Reads `500ms`, `60s`, `10m`, `2h`, `7d`; `never` gives `None`.
///
/// # Errors
/// [`Error::Duration`] for anything else: fractions, signs, `inf`, `NaN`, zero, a missing unit, more than 100 years.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(tropos_core::age::parse("10m"), Ok(Some(Duration::from_secs(600))));
/// assert_eq!(tropos_core::age::parse("never"), Ok(None));
/// assert!(tropos_core::age::parse("inf").is_err());
/// ```
pub fn parse(text: &str) -> Result<Option<Duration>, Error> {
    if text == "never" {
        return Ok(None);
    }
    let wrong = || Error::Duration { text: text.to_owned() };
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit_in_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    const CENTURY_IN_MS: u64 = 36_525 * 86_400_000;
    match number.checked_mul(unit_in_ms) {
        Some(ms) if ms > 0 && ms <= CENTURY_IN_MS => Ok(Some(Duration::from_millis(ms))),
        _ => Err(wrong()),
    }
}

/// Shows a duration the way [`parse`] reads it, in the largest unit that is exact.
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        match units.into_iter().find(|(unit, _)| ms > 0 && ms.is_multiple_of(*unit)) {
            Some((unit, name)) => write!(f, "{}{name}", ms / unit),
            None => write!(f, "{ms}ms"),
        }
    }
}

impl fmt::Display for Revalidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Revalidate::Never => f.write_str("never"),
            Revalidate::After(age) => Span(*age).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_a_unit_and_show_as_they_were_written() {
        for text in ["1ms", "500ms", "60s", "10m", "2h", "7d", "90s"] {
            let read = parse(text).unwrap().unwrap();
            assert_eq!(parse(&Span(read).to_string()).unwrap().unwrap(), read, "{text}");
        }
        for text in [
            "",
            "60",
            "s",
            "-1s",
            "1.5s",
            "inf",
            "NaN",
            "0s",
            " 1s",
            "1 s",
            "1w",
            "99999999999999999999s",
            "40000d",
        ] {
            assert_eq!(parse(text), Err(Error::Duration { text: text.into() }), "{text}");
        }
    }

    #[test]
    fn expire_defaults_to_ten_times_revalidate_and_at_least_an_hour() {
        let expire =
            |seconds| Ages::new(Revalidate::After(Duration::from_secs(seconds)), None).unwrap().expire();
        assert_eq!(expire(2), Some(Duration::from_secs(3600)));
        assert_eq!(expire(3600), Some(Duration::from_secs(36_000)));
        assert_eq!(Ages::new(Revalidate::Never, None).unwrap().expire(), None);
    }

    #[test]
    fn an_entry_cannot_expire_before_it_is_stale() {
        let error =
            Ages::new(Revalidate::After(Duration::from_secs(60)), Some(Duration::from_secs(10))).unwrap_err();
        assert!(error.to_string().contains("expire (10s) is shorter than revalidate (1m)"), "{error}");
    }
}
