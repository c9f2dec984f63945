//! What `Cache-Control` says (RFC 9111 §5.2).
//!
//! Names are case-insensitive, values may be tokens or quoted strings, and what is unknown is ignored (§5.2.3). What is
//! malformed in a way that could make an answer live longer than it was meant to makes it stale (§4.2.1).

use super::{Rules, targeted};
use ::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Seconds beyond this count as this (RFC 9111 §1.2.2).
pub const MOST_SECONDS: u64 = 1 << 31;

/// A number of seconds that a directive may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Seconds {
    /// The directive is not there.
    #[default]
    Absent,
    /// It is there, with this many.
    Given(u64),
    /// It is there without a number, or twice with two different ones.
    Invalid,
}

impl Seconds {
    /// Digits alone (RFC 9111 §1.2.2); more than fit count as [`MOST_SECONDS`].
    pub fn parse(digits: &[u8]) -> Self {
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Seconds::Invalid;
        }
        let number = digits.iter().fold(0_u64, |sum, digit| {
            sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')).min(MOST_SECONDS)
        });
        Seconds::Given(number)
    }

    /// Whether the directive is there at all.
    pub const fn is_present(self) -> bool {
        !matches!(self, Seconds::Absent)
    }

    /// The number, none where it is invalid: no leave is given by what cannot be read.
    pub const fn valid(self) -> Option<u64> {
        match self {
            Seconds::Given(seconds) => Some(seconds),
            Seconds::Absent | Seconds::Invalid => None,
        }
    }

    /// The number, zero where it is invalid: what cannot be read makes stale (§4.2.1).
    pub const fn or_stale(self) -> Option<u64> {
        match self {
            Seconds::Given(seconds) => Some(seconds),
            Seconds::Invalid => Some(0),
            Seconds::Absent => None,
        }
    }

    /// §4.2.1: of two that differ neither is believed.
    fn add(&mut self, next: Seconds) {
        *self = match (*self, next) {
            (Seconds::Absent, next) => next,
            (Seconds::Given(one), Seconds::Given(other)) if one == other => next,
            _ => Seconds::Invalid,
        };
    }
}

/// What `no-cache` or `private` covers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Covers {
    /// The directive is not there.
    #[default]
    Nothing,
    /// These fields (§5.2.2.4, §5.2.2.7).
    Fields(Vec<HeaderName>),
    /// The whole answer.
    All,
}

impl Covers {
    fn add(&mut self, value: Option<&[u8]>) {
        let Some(names) = value else {
            *self = Covers::All;
            return;
        };
        let names: Result<Vec<_>, _> = names
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .filter(|name| !name.is_empty())
            .map(HeaderName::from_bytes)
            .collect();
        match (&mut *self, names) {
            (Covers::All, _) => {}
            (Covers::Fields(known), Ok(names)) => known.extend(names),
            (Covers::Nothing, Ok(names)) if !names.is_empty() => *self = Covers::Fields(names),
            // A list of fields that cannot be read may have named any.
            _ => *self = Covers::All,
        }
    }

    /// The fields, where it covers only some.
    pub fn fields(&self) -> &[HeaderName] {
        match self {
            Covers::Fields(names) => names,
            Covers::Nothing | Covers::All => &[],
        }
    }
}

/// The directives that this cache knows, of a request or a response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directives {
    /// `max-age` (§5.2.1.1, §5.2.2.1).
    pub max_age: Seconds,
    /// `s-maxage` (§5.2.2.10).
    pub s_maxage: Seconds,
    /// `no-store` (§5.2.1.5, §5.2.2.5).
    pub no_store: bool,
    /// `no-cache` (§5.2.1.4, §5.2.2.4).
    pub no_cache: Covers,
    /// `private` (§5.2.2.7).
    pub private: Covers,
    /// `public` (§5.2.2.9).
    pub public: bool,
    /// `must-revalidate` (§5.2.2.2).
    pub must_revalidate: bool,
    /// `proxy-revalidate` (§5.2.2.8).
    pub proxy_revalidate: bool,
    /// `must-understand` (§5.2.2.3).
    pub must_understand: bool,
    /// `stale-while-revalidate` (RFC 5861 §3).
    pub stale_while_revalidate: Seconds,
    /// `stale-if-error` (RFC 5861 §4).
    pub stale_if_error: Seconds,
    /// `max-stale` of a request; [`MOST_SECONDS`] where it has no value (§5.2.1.2).
    pub max_stale: Seconds,
    /// `min-fresh` of a request (§5.2.1.3).
    pub min_fresh: Seconds,
    /// `only-if-cached` of a request (§5.2.1.7).
    pub only_if_cached: bool,
}

impl Directives {
    /// Reads all lines of the field.
    ///
    /// ```
    /// use http::HeaderValue;
    /// use tropos_cache::http::policy::directives::{Directives, Seconds};
    /// let line = HeaderValue::from_static("Max-Age=\"60\", no-store, x=\"max-age=3600\"");
    /// let directives = Directives::read([&line]);
    /// assert_eq!(directives.max_age, Seconds::Given(60));
    /// assert!(directives.no_store);
    /// ```
    pub fn read<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        let mut directives = Self::default();
        for line in lines {
            for member in members(line.as_bytes()) {
                let (name, value) = match member.iter().position(|byte| *byte == b'=') {
                    Some(at) => (member.get(..at).unwrap_or_default(), member.get(at + 1..).map(unquoted)),
                    None => (member, None),
                };
                directives.take(name.trim_ascii(), value.as_deref());
            }
        }
        directives
    }

    /// Takes one directive in; unknown ones are ignored (§5.2.3).
    pub(super) fn take(&mut self, name: &[u8], value: Option<&[u8]>) {
        let seconds = || value.map_or(Seconds::Invalid, Seconds::parse);
        match name.to_ascii_lowercase().as_slice() {
            b"max-age" => self.max_age.add(seconds()),
            b"s-maxage" => self.s_maxage.add(seconds()),
            b"no-store" => self.no_store = true,
            b"no-cache" => self.no_cache.add(value),
            b"private" => self.private.add(value),
            b"public" => self.public = true,
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"must-understand" => self.must_understand = true,
            b"stale-while-revalidate" => self.stale_while_revalidate.add(seconds()),
            b"stale-if-error" => self.stale_if_error.add(seconds()),
            b"max-stale" => self.max_stale.add(value.map_or(Seconds::Given(MOST_SECONDS), Seconds::parse)),
            b"min-fresh" => self.min_fresh.add(seconds()),
            b"only-if-cached" => self.only_if_cached = true,
            _ => {}
        }
    }
}

/// The directives that decide about a response, and where they stood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Control {
    /// The directives.
    pub directives: Directives,
    /// Whether they stood in a field for this cache, so that `Cache-Control` and `Expires` do not count (RFC 9213 §2.2).
    pub targeted: bool,
}

impl Control {
    /// Of a response.
    pub fn of_response(headers: &HeaderMap, rules: &Rules) -> Self {
        let targeted = rules.targeted.iter().find_map(|name| targeted::read(headers.get_all(name)));
        if let Some(directives) = targeted {
            return Self { directives, targeted: true };
        }
        let mut directives = Directives::read(headers.get_all(header::CACHE_CONTROL));
        // §5.4 defines `Pragma` for requests only; the many servers that send it mean what it says.
        if !headers.contains_key(header::CACHE_CONTROL) && has_pragma_no_cache(headers) {
            directives.no_cache = Covers::All;
        }
        Self { directives, targeted: false }
    }

    /// Of a request: nothing, where requests do not count here.
    pub fn of_request(headers: &HeaderMap, rules: &Rules) -> Self {
        let mut directives = Directives::default();
        if rules.honour_requests {
            directives = Directives::read(headers.get_all(header::CACHE_CONTROL));
            // §5.4: for caches that speak HTTP/1.0.
            if !headers.contains_key(header::CACHE_CONTROL) && has_pragma_no_cache(headers) {
                directives.no_cache = Covers::All;
            }
        }
        Self { directives, targeted: false }
    }
}

fn has_pragma_no_cache(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::PRAGMA).into_iter();
    lines.any(|line| members(line.as_bytes()).iter().any(|member| member.eq_ignore_ascii_case(b"no-cache")))
}

/// The members of a list (RFC 9110 §5.6.1): commas within quotes are no ends.
pub(super) fn members(line: &[u8]) -> Vec<&[u8]> {
    let mut members = Vec::new();
    let mut rest = line;
    let mut quotes_count = true;
    while !rest.is_empty() {
        let end = if quotes_count { end_of_member(rest) } else { None };
        // A quote that is never closed hides nothing: what follows it is read as if it were not there.
        quotes_count = end.is_some();
        let plain = || rest.iter().position(|byte| *byte == b',').unwrap_or(rest.len());
        let (member, after) = rest.split_at(end.unwrap_or_else(plain));
        let member = member.trim_ascii();
        if !member.is_empty() {
            members.push(member);
        }
        rest = after.get(1..).unwrap_or_default();
    }
    members
}

/// `None` where a quote is never closed.
fn end_of_member(list: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in list.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return Some(at),
            _ => {}
        }
    }
    (!quoted).then_some(list.len())
}

/// The text of a quoted string (RFC 9110 §5.6.4); anything else as it is.
fn unquoted(value: &[u8]) -> Vec<u8> {
    let Some(inner) = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")) else {
        return value.to_vec();
    };
    let mut escaped = false;
    let kept = |byte: &&u8| {
        escaped = !escaped && **byte == b'\\';
        !escaped
    };
    inner.iter().filter(kept).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::{Seconds::*, *};

    fn read(lines: &[&'static str]) -> Directives {
        let lines: Vec<_> = lines.iter().map(|line| HeaderValue::from_static(line)).collect();
        Directives::read(&lines)
    }

    #[test]
    fn ages() {
        for (lines, expected) in [
            (&["max-age=60"][..], Given(60)),
            (&["MaX-aGe=60"], Given(60)),
            (&["max-age=\"60\""], Given(60)),
            (&["max-age=\"6\\0\""], Given(60)),
            (&["max-age=003600"], Given(3600)),
            (&["x, max-age=60;y"], Invalid),
            (&["max-age=99999999999999999999999"], Given(MOST_SECONDS)),
            (&["max-age='60'"], Invalid),
            (&["max-age=-60"], Invalid),
            (&["max-age=60.0"], Invalid),
            (&["max-age= 60"], Invalid),
            (&["max-age =60"], Given(60)),
            (&["max-age="], Invalid),
            (&["max-age"], Invalid),
            (&["max-age=60, max-age=60"], Given(60)),
            (&["max-age=60, max-age=1"], Invalid),
            (&["max-age=60", "max-age=1"], Invalid),
            (&["x=\"max-age=60\", max-age=1"], Given(1)),
            (&["max-age=1, x=\"a, max-age=60\""], Given(1)),
            (&["x=\"a\\\", max-age=60\", max-age=1"], Given(1)),
            (&["x=\"never closed, max-age=1"], Given(1)),
            (&["x-max-age=1"], Absent),
            (&[""], Absent),
        ] {
            assert_eq!(read(lines).max_age, expected, "{lines:?}");
        }
    }

    #[test]
    fn lists_of_fields() {
        let named = |names: &[&'static str]| {
            Covers::Fields(names.iter().map(|name| HeaderName::from_static(name)).collect())
        };
        for (line, expected) in [
            ("no-cache", Covers::All),
            ("no-cache=\"a\"", named(&["a"])),
            ("No-Cache=\"A, b\"", named(&["a", "b"])),
            ("no-cache=a", named(&["a"])),
            ("no-cache=\"a\", no-cache=\"b\"", named(&["a", "b"])),
            ("no-cache=\"a\", no-cache", Covers::All),
            ("no-cache, no-cache=\"a\"", Covers::All),
            ("no-cache=\"\"", Covers::All),
            ("no-cache=\"a b\"", Covers::All),
            ("max-age=1", Covers::Nothing),
        ] {
            assert_eq!(read(&[line]).no_cache, expected, "{line}");
        }
    }

    #[test]
    fn a_long_line_of_quotes_takes_no_longer_than_its_length() {
        let line = HeaderValue::from_str(&"\",".repeat(30_000)).unwrap();
        assert_eq!(Directives::read([&line]), Directives::default());
    }

    #[test]
    fn pragma_counts_only_without_cache_control() {
        for (fields, expected) in [
            (&[("pragma", "no-cache")][..], Covers::All),
            (&[("pragma", "foo, No-Cache")], Covers::All),
            (&[("pragma", "foo")], Covers::Nothing),
            (&[("pragma", "no-cache"), ("cache-control", "max-age=1")], Covers::Nothing),
        ] {
            let mut headers = HeaderMap::new();
            fields.iter().for_each(|(name, value)| {
                headers.append(*name, HeaderValue::from_static(value));
            });
            let rules = Rules::default();
            assert_eq!(Control::of_response(&headers, &rules).directives.no_cache, expected, "{fields:?}");
            assert_eq!(Control::of_request(&headers, &rules).directives.no_cache, expected, "{fields:?}");
            let deaf = Rules { honour_requests: false, ..Rules::default() };
            assert_eq!(Control::of_request(&headers, &deaf), Control::default());
        }
    }
}
