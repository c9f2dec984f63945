//! Headers of a request, wherever they are kept.

use http::{HeaderMap, HeaderName, HeaderValue};
use std::borrow::Cow;

/// A header as it was parsed from the wire.
#[derive(Debug, Clone, Copy)]
pub struct RawHeader<'a> {
    /// Its name, in any case.
    pub name: &'a str,
    /// Its value.
    pub value: &'a [u8],
}

/// Headers of a request: a map, or the lines as they were read, which costs nothing to make.
#[derive(Debug, Clone)]
pub enum Headers<'a> {
    /// As the server holds them.
    Map(Cow<'a, HeaderMap>),
    /// As they were read.
    Raw(&'a [RawHeader<'a>]),
}

impl<'a> Headers<'a> {
    /// The headers of a map.
    pub fn of(map: &'a HeaderMap) -> Self {
        Self::Map(Cow::Borrowed(map))
    }

    /// The first value of a header.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        match self {
            Self::Map(map) => map.get(name).map(HeaderValue::as_bytes),
            Self::Raw(lines) => {
                lines.iter().find(|line| line.name.eq_ignore_ascii_case(name)).map(|line| line.value)
            }
        }
    }

    /// The values of a header, a line each.
    pub fn lines<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s [u8]> {
        let (map, raw) = match self {
            Self::Map(map) => (Some(map.get_all(name)), None),
            Self::Raw(lines) => {
                (None, Some(lines.iter().filter(move |line| line.name.eq_ignore_ascii_case(name))))
            }
        };
        let map = map.into_iter().flatten().map(HeaderValue::as_bytes);
        map.chain(raw.into_iter().flatten().map(|line| line.value))
    }

    /// Changes the headers.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut HeaderMap)) {
        let mut map = match std::mem::replace(self, Self::Raw(&[])) {
            Self::Map(map) => map,
            Self::Raw(lines) => Cow::Owned(collected(lines)),
        };
        change(map.to_mut());
        *self = Self::Map(map);
    }
}

fn collected(lines: &[RawHeader<'_>]) -> HeaderMap {
    let known = lines.iter().filter_map(|line| {
        Some((HeaderName::from_bytes(line.name.as_bytes()).ok()?, HeaderValue::from_bytes(line.value).ok()?))
    });
    let mut map = HeaderMap::new();
    for (name, value) in known {
        map.append(name, value);
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_answer_alike() {
        let raw = [
            RawHeader { name: "X-A", value: b"1" },
            RawHeader { name: "x-a", value: b"2" },
            RawHeader { name: "b", value: b"3" },
        ];
        let raw = Headers::Raw(&raw);
        let mut changed = raw.clone();
        changed.change(|map| drop(map.remove("b")));
        for headers in [&raw, &changed] {
            assert_eq!(headers.get("x-A"), Some(&b"1"[..]));
            assert_eq!(headers.lines("X-a").collect::<Vec<_>>(), [b"1", b"2"]);
        }
        assert!(raw.get("b").is_some() && changed.get("b").is_none());
    }
}
