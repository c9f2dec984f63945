//! What `CDN-Cache-Control`, or another field that is for this cache, says (RFC 9213).
//!
//! Unlike `Cache-Control` it is a dictionary of RFC 8941, which is read exactly or not at all.

use super::directives::Directives;
use ::http::HeaderValue;

/// The directives; `None` where there are none, or the field is malformed, and is to be ignored (RFC 9213 §2.2).
///
/// ```
/// use http::HeaderValue;
/// use tropos_cache::http::policy::{directives::Seconds, targeted};
/// let line = HeaderValue::from_static("max-age=60, must-revalidate");
/// assert_eq!(targeted::read([&line]).map(|found| found.max_age), Some(Seconds::Given(60)));
/// let line = HeaderValue::from_static("max-age='60'");
/// assert_eq!(targeted::read([&line]), None);
/// ```
pub fn read<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>) -> Option<Directives> {
    // RFC 8941 §4.2: several lines are one, joined by commas.
    let lines: Vec<_> =
        lines.into_iter().map(HeaderValue::as_bytes).filter(|line| !line.is_empty()).collect();
    let joined = lines.join(&b", "[..]);
    let mut members: Vec<(&[u8], Item<'_>)> = Vec::new();
    let mut rest = Rest(joined.trim_ascii());
    while !rest.0.is_empty() {
        let (key, item) = rest.member()?;
        // §4.2.2: of two members with one key the last counts.
        members.retain(|(known, _)| *known != key);
        members.push((key, item));
        rest.blanks();
        if rest.0.is_empty() {
            break;
        }
        rest.expect(b',')?;
        rest.blanks();
        // §4.2.2: nothing may follow the last comma but a member.
        if rest.0.is_empty() {
            return None;
        }
    }
    let mut directives = Directives::default();
    for (key, item) in &members {
        match item {
            // RFC 9213 §2.1: true stands for a directive without a value.
            Item::True => directives.take(key, None),
            Item::Integer(digits) => directives.take(key, Some(digits)),
            Item::Text(text) if matches!(*key, b"no-cache" | b"private") => directives.take(key, Some(text)),
            // A value of another type than the directive's: as if it were not there.
            Item::Text(_) | Item::Other => {}
        }
    }
    (!members.is_empty()).then_some(directives)
}

/// As much of a value as a directive could need.
enum Item<'a> {
    True,
    Integer(&'a [u8]),
    Text(&'a [u8]),
    Other,
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// §4.2.2: a key, and its value; without one it is true. Parameters are read and dropped (RFC 9213 §2.1).
    fn member(&mut self) -> Option<(&'a [u8], Item<'a>)> {
        let key = self.key()?;
        let item = if self.take(b'=') {
            if self.0.starts_with(b"(") { self.inner_list()? } else { self.bare()? }
        } else {
            Item::True
        };
        self.parameters()?;
        Some((key, item))
    }

    /// §3.1.2.
    fn key(&mut self) -> Option<&'a [u8]> {
        if !self.0.first().is_some_and(|byte| byte.is_ascii_lowercase() || *byte == b'*') {
            return None;
        }
        Some(self.run(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.' | b'*')
        }))
    }

    /// §4.2.1.2.
    fn inner_list(&mut self) -> Option<Item<'a>> {
        self.expect(b'(')?;
        loop {
            self.run(|byte| byte == b' ');
            if self.take(b')') {
                return Some(Item::Other);
            }
            self.bare()?;
            self.parameters()?;
            if !matches!(self.0.first(), Some(b' ' | b')')) {
                return None;
            }
        }
    }

    /// §4.2.3.2.
    fn parameters(&mut self) -> Option<()> {
        while self.take(b';') {
            self.run(|byte| byte == b' ');
            self.key()?;
            if self.take(b'=') {
                self.bare()?;
            }
        }
        Some(())
    }

    /// §4.2.3.1.
    fn bare(&mut self) -> Option<Item<'a>> {
        match *self.0.first()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string(),
            b':' => {
                self.expect(b':')?;
                self.run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
                self.expect(b':')?;
                Some(Item::Other)
            }
            b'?' => {
                self.expect(b'?')?;
                if self.take(b'1') {
                    return Some(Item::True);
                }
                self.expect(b'0')?;
                Some(Item::Other)
            }
            b'*' | b'a'..=b'z' | b'A'..=b'Z' => {
                self.run(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte));
                Some(Item::Other)
            }
            _ => None,
        }
    }

    /// §4.2.4: at most 15 digits, or 12 and three decimals.
    fn number(&mut self) -> Option<Item<'a>> {
        let negative = self.take(b'-');
        let whole = self.run(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 15 {
            return None;
        }
        if self.take(b'.') {
            let decimals = self.run(|byte| byte.is_ascii_digit());
            let fits = whole.len() <= 12 && (1..=3).contains(&decimals.len());
            return fits.then_some(Item::Other);
        }
        Some(if negative { Item::Other } else { Item::Integer(whole) })
    }

    /// §4.2.5. The text is handed on with its escapes, which names of fields cannot hold.
    fn string(&mut self) -> Option<Item<'a>> {
        self.expect(b'"')?;
        let all = self.0;
        let mut at = 0;
        loop {
            match *all.get(at)? {
                b'"' => {
                    self.0 = all.get(at + 1..)?;
                    return all.get(..at).map(Item::Text);
                }
                b'\\' if matches!(all.get(at + 1), Some(b'"' | b'\\')) => at += 2,
                b'\\' => return None,
                b' '..=b'~' => at += 1,
                _ => return None,
            }
        }
    }

    fn run(&mut self, is_part: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|byte| !is_part(*byte)).unwrap_or(self.0.len());
        let (run, rest) = self.0.split_at(end);
        self.0 = rest;
        run
    }

    fn blanks(&mut self) {
        self.run(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn take(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::policy::directives::{Covers, Seconds};

    fn read(lines: &[&'static str]) -> Option<Directives> {
        let lines: Vec<_> = lines.iter().map(|line| HeaderValue::from_static(line)).collect();
        super::read(&lines)
    }

    #[test]
    fn a_dictionary_is_read_exactly() {
        let age = |seconds| Some(Seconds::Given(seconds));
        for (lines, expected) in [
            (&["max-age=60"][..], age(60)),
            (&["max-age=60;x=1;y, no-store"], age(60)),
            (&["no-store", "max-age=60"], age(60)),
            (&["max-age=1, max-age=60"], age(60)),
            (&["a=(\"x\" 1;q=2 tok/en), b=:aGk=:, c=?0, d=1.5, e=\"\\\"\", max-age=60"], age(60)),
            (&["max-age=60.0"], Some(Seconds::Absent)),
            (&["max-age=-60"], Some(Seconds::Absent)),
            (&["max-age=\"60\""], Some(Seconds::Absent)),
            (&["max-age"], Some(Seconds::Invalid)),
            (&["max-age=999999999999999"], age(1 << 31)),
            (&["max-age=1000000000000000"], None),
            (&["Max-Age=60"], None),
            (&["max-age =60"], None),
            (&["max-age= 60"], None),
            (&["max-age='60'"], None),
            (&["max-age=60,"], None),
            (&["max-age=60 no-store"], None),
            (&["a=(1"], None),
            (&["a=\"x"], None),
            (&["max-age=60, @"], None),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(read(lines).map(|found| found.max_age), expected, "{lines:?}");
        }
    }

    #[test]
    fn true_stands_for_a_directive_without_value() {
        let found = read(&["no-store=?1, private=?0, no-cache"]).unwrap();
        assert!(found.no_store);
        assert_eq!(found.private, Covers::Nothing);
        assert_eq!(found.no_cache, Covers::All);
    }
}
