//! Which content coding goes out (RFC 9110 §12.5.3).

use ::http::HeaderValue;

/// A content coding (RFC 9110 §8.4.1), in the order in which Tropos prefers them at equal weight.
///
/// Brotli comes first since it makes the smallest pages at the levels in use; plain bodies come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Coding {
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878).
    Zstd,
    /// `gzip` (RFC 1952).
    Gzip,
    /// No coding at all.
    Identity,
}

impl Coding {
    /// All codings, by preference.
    pub const ALL: [Coding; 4] = [Coding::Brotli, Coding::Zstd, Coding::Gzip, Coding::Identity];

    /// The name that headers use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
            Coding::Gzip => "gzip",
            Coding::Identity => "identity",
        }
    }

    /// The value of `Content-Encoding`; none for [`Coding::Identity`], which that header never names (RFC 9110 §8.4).
    pub const fn content_encoding(self) -> Option<HeaderValue> {
        match self {
            Coding::Brotli => Some(HeaderValue::from_static("br")),
            Coding::Zstd => Some(HeaderValue::from_static("zstd")),
            Coding::Gzip => Some(HeaderValue::from_static("gzip")),
            Coding::Identity => None,
        }
    }

    /// What is added to the file name of a precompressed asset, and to an entity tag.
    pub const fn suffix(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Zstd => "zst",
            Coding::Gzip => "gz",
            Coding::Identity => "",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    fn named(name: &str) -> Option<Coding> {
        // RFC 9110 §8.4.1: names are case-insensitive; §8.4.1.3: `x-gzip` is `gzip`.
        if name.eq_ignore_ascii_case("x-gzip") {
            return Some(Coding::Gzip);
        }
        Coding::ALL.into_iter().find(|coding| name.eq_ignore_ascii_case(coding.as_str()))
    }
}

/// A set of codings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Codings(u8);

impl Codings {
    /// This set, and one coding more.
    #[must_use]
    pub const fn with(self, coding: Coding) -> Self {
        Self(self.0 | coding.bit())
    }

    /// Whether the coding is among them.
    pub const fn has(self, coding: Coding) -> bool {
        self.0 & coding.bit() != 0
    }
}

impl FromIterator<Coding> for Codings {
    fn from_iter<I: IntoIterator<Item = Coding>>(codings: I) -> Self {
        codings.into_iter().fold(Self::default(), Self::with)
    }
}

/// Chooses among the available codings.
///
/// The heaviest acceptable one wins, and the order of [`Coding::ALL`] decides between equals. Without the header, or
/// with a malformed one, a plain body goes out; so it does where the client accepts nothing that is available.
///
/// ```
/// use http::HeaderValue;
/// use tropos_cache::http::coding::{Coding, Codings, negotiate};
/// let available = Codings::from_iter([Coding::Identity, Coding::Brotli, Coding::Gzip]);
/// let accept = HeaderValue::from_static("gzip, deflate, br, zstd");
/// assert_eq!(negotiate(Some(&accept), available), Coding::Brotli);
/// assert_eq!(negotiate(None, available), Coding::Identity);
/// ```
pub fn negotiate(accept_encoding: Option<&HeaderValue>, available: Codings) -> Coding {
    negotiate_lines(accept_encoding, available)
}

/// As [`negotiate`], for a header that may be spread over several lines (RFC 9110 §5.3).
pub fn negotiate_lines<'a>(
    accept_encoding: impl IntoIterator<Item = &'a HeaderValue>,
    available: Codings,
) -> Coding {
    negotiate_bytes(accept_encoding.into_iter().map(HeaderValue::as_bytes), available)
}

/// As [`negotiate_lines`], for values as they came.
pub fn negotiate_bytes<'a>(
    accept_encoding: impl IntoIterator<Item = &'a [u8]>,
    available: Codings,
) -> Coding {
    let mut weights = Weights::default();
    for line in accept_encoding {
        if weights.read(line).is_none() {
            return Coding::Identity;
        }
    }
    Coding::ALL
        .into_iter()
        .filter(|coding| available.has(*coding))
        .map(|coding| (weights.of(coding), coding))
        .filter(|(weight, _)| *weight > 0)
        // The earlier of two equals: `max_by_key` would take the later.
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map_or(Coding::Identity, |(_, coding)| coding)
}

/// The weights that a request gives, in thousandths; `None` where it says nothing.
#[derive(Default)]
struct Weights {
    named: [Option<u16>; 4],
    others: Option<u16>,
}

/// Beneath all that is asked for by name, and above refusal: thousandths of a thousandth do not exist on the wire, so
/// listed weights are scaled by two to make room for it.
const ACCEPTABLE_BY_DEFAULT: u16 = 1;

impl Weights {
    /// Adds the elements of one line; `None` where it is malformed.
    fn read(&mut self, line: &[u8]) -> Option<()> {
        let line = std::str::from_utf8(line).ok()?;
        for element in line.split(',').map(trim) {
            // RFC 9110 §5.6.1.2: empty elements are ignored.
            if element.is_empty() {
                continue;
            }
            let (name, weight) = match element.split_once(';') {
                None => (element, 1000),
                Some((name, weight)) => (trim(name), qvalue(trim(weight))?),
            };
            if !is_token(name) {
                return None;
            }
            let slot = match (name, Coding::named(name)) {
                ("*", _) => Some(&mut self.others),
                (_, Some(coding)) => self.named.get_mut(coding as usize),
                (_, None) => None, // a coding that Tropos does not speak
            };
            if let Some(slot) = slot {
                // Named twice: the lower weight, so that a refusal stands.
                *slot = Some(slot.map_or(weight, |before| before.min(weight)));
            }
        }
        Some(())
    }

    fn of(&self, coding: Coding) -> u16 {
        let named = self.named.get(coding as usize).copied().flatten();
        match (coding, named, self.others) {
            // §12.5.3 rule 3: a coding listed by name has the weight given there; zero means "not acceptable".
            (_, Some(weight), _) => weight * 2,
            // Rule 2: no coding at all is acceptable unless refused by "identity;q=0", or by "*;q=0" without a more
            // specific entry. It was not asked for either, so anything that was goes before it.
            (Coding::Identity, None, Some(0)) => 0,
            (Coding::Identity, None, _) => ACCEPTABLE_BY_DEFAULT,
            // "*" matches every coding that is not listed by name.
            (_, None, Some(weight)) => weight * 2,
            (_, None, None) => 0,
        }
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// RFC 9110 §5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// `q=0.5` in thousandths (RFC 9110 §12.4.2): `0` or `1`, and at most three decimals.
fn qvalue(weight: &str) -> Option<u16> {
    let number = weight.strip_prefix(['q', 'Q'])?.strip_prefix('=')?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = decimals.bytes().chain(std::iter::repeat(b'0')).take(3);
    let thousandths = digits.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match (whole, thousandths) {
        ("0", thousandths) => Some(thousandths),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
