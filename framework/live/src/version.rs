//! The name of a render, and what a page that connects knows already.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The name of a render: 128 bits of a hash of its HTML, so that every instance gives the same HTML the same name.
///
/// ```
/// use tropos_live::Version;
/// let version = Version::of("<p>1</p>");
/// assert_eq!(version.to_string().parse(), Ok(version));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Version(u128);

/// The length of a version in text.
const DIGITS: usize = 32;

impl Version {
    /// The version of this HTML.
    pub fn of(html: &str) -> Self {
        let hash = blake3::hash(html.as_bytes());
        let (half, _) = hash.as_bytes().split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
        Self(u128::from_be_bytes(*half))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A text that names no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a version is 32 lower-case hexadecimal digits")]
pub struct Malformed;

impl FromStr for Version {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let digits = text.len() == DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !digits {
            return Err(Malformed);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| Malformed)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for Version {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

/// What a page that connects knows already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Since {
    /// Nothing: it is sent the whole HTML at once.
    #[default]
    Nothing,
    /// It shows this version, as the server rendered it, but holds no text to apply a splice to: it is sent nothing
    /// until the page changes, and then the whole HTML.
    Shown(Version),
    /// It holds the text of this version: it is sent nothing until the page changes, and then a splice.
    Held(Version),
}

impl Since {
    /// Reads what the page's script says: the header `Last-Event-ID` of a stream that the browser opens again by itself,
    /// the query key `base` of one that the script opens again, or the query key `since` that the server wrote into
    /// the stream's URL with the page. What is malformed counts as absent.
    ///
    /// ```
    /// use tropos_live::{Since, Version};
    /// let version = Version::of("<p>1</p>");
    /// assert_eq!(Since::read(None, Some(&format!("a=b&since={version}"))), Since::Shown(version));
    /// assert_eq!(Since::read(Some(&version.to_string()), None), Since::Held(version));
    /// assert_eq!(Since::read(Some("' or 1=1"), Some("since=1")), Since::Nothing);
    /// ```
    pub fn read(last_event_id: Option<&str>, query: Option<&str>) -> Self {
        let in_query = |name: &str| {
            query?
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse::<Version>().ok())
        };
        let held = last_event_id.and_then(|id| id.parse().ok()).or_else(|| in_query("base"));
        match (held, in_query("since")) {
            (Some(version), _) => Self::Held(version),
            (None, Some(version)) => Self::Shown(version),
            (None, None) => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_version_is_refused() {
        let good = "ab".repeat(16);
        assert!(good.parse::<Version>().is_ok());
        let table =
            ["", "1", &good[1..], &format!("{good}0"), &good.to_uppercase(), &format!("+{}", &good[1..])];
        for text in table {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
        assert!("z".repeat(1 << 20).parse::<Version>().is_err());
    }

    #[test]
    fn a_version_keeps_its_leading_zeros() {
        assert_eq!(Version(1).to_string(), "00000000000000000000000000000001");
        assert_eq!(Version(1).to_string().parse(), Ok(Version(1)));
    }

    #[test]
    fn the_newest_thing_that_a_page_holds_wins() {
        let [one, two, three] = ["1", "2", "3"].map(Version::of);
        let table = [
            (None, None, Since::Nothing),
            (Some(one.to_string()), Some(format!("base={two}&since={three}")), Since::Held(one)),
            (Some("junk".to_owned()), Some(format!("since={three}&base={two}")), Since::Held(two)),
            (None, Some(format!("base=junk&since={three}")), Since::Shown(three)),
            (None, Some(format!("xsince={three}&since2={three}&since")), Since::Nothing),
        ];
        for (id, query, expected) in table {
            assert_eq!(Since::read(id.as_deref(), query.as_deref()), expected, "{id:?} {query:?}");
        }
    }
}
