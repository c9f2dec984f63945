//! Which requests a stored answer is for (RFC 9111 §4.1).

use super::directives::members;
use ::http::{HeaderMap, HeaderName, header};

/// Fields beyond these make an answer that hardly any other request can be answered with.
const MOST_FIELDS: usize = 32;

/// The request fields that selected an answer, and what they held.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selecting(Vec<(HeaderName, Option<Vec<u8>>)>);

impl Selecting {
    /// By the answer's `Vary`; `None` where no other request can be answered with it: `*` (§4.1), or what names no field.
    pub fn of(response: &HeaderMap, request: &HeaderMap) -> Option<Self> {
        let mut fields: Vec<(HeaderName, Option<Vec<u8>>)> = Vec::new();
        for line in response.get_all(header::VARY) {
            for member in members(line.as_bytes()) {
                // `*` is a token, but what it means is: never.
                let name = HeaderName::from_bytes(member).ok().filter(|name| name.as_str() != "*")?;
                if fields.iter().all(|(known, _)| *known != name) {
                    let value = normalised(request, &name);
                    fields.push((name, value));
                }
            }
        }
        (fields.len() <= MOST_FIELDS).then_some(Self(fields))
    }

    /// Whether the answer is for this request too.
    pub fn matches(&self, request: &HeaderMap) -> bool {
        self.0.iter().all(|(name, value)| normalised(request, name) == *value)
    }

    /// The bytes of memory that it holds, about.
    pub fn weight(&self) -> usize {
        self.0.iter().map(|(name, value)| name.as_str().len() + value.as_ref().map_or(0, Vec::len) + 64).sum()
    }
}

/// The lines of a field as one, without blanks about commas (§4.1); `None` where it is not there, which is something
/// else than an empty one. Quoted strings stay as they are, since blanks within them count.
fn normalised(request: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> = request.get_all(name).iter().map(|line| line.as_bytes().trim_ascii()).collect();
    if lines.is_empty() {
        return None;
    }
    let joined = lines.join(&b","[..]);
    if joined.contains(&b'"') {
        return Some(joined);
    }
    let parts: Vec<&[u8]> = joined.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
    Some(parts.join(&b","[..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::policy::testing::{Fields, map};

    #[test]
    fn what_an_answer_is_for() {
        let foo: Fields<'_> = &[("vary", "Foo")];
        let both: Fields<'_> = &[("vary", "Foo, bar")];
        let cases: [(Fields<'_>, Fields<'_>, Fields<'_>, bool); 14] = [
            (&[], &[("foo", "1")], &[("foo", "2")], true),
            (foo, &[("foo", "1")], &[("foo", "1"), ("bar", "2")], true),
            (foo, &[("foo", "1")], &[("foo", "2")], false),
            (foo, &[("foo", "1")], &[], false),
            (foo, &[], &[("foo", "1")], false),
            (foo, &[], &[("foo", "")], false),
            (foo, &[], &[], true),
            (foo, &[("foo", "1, 2")], &[("foo", "1"), ("foo", "2")], true),
            (foo, &[("foo", "1,2")], &[("foo", " 1 ,  2 ")], true),
            (foo, &[("foo", "\"1,2\"")], &[("foo", "\"1, 2\"")], false),
            (foo, &[("foo", "1")], &[("foo", "1"), ("foo", "1")], false),
            (both, &[("foo", "1"), ("bar", "2")], &[("bar", "2"), ("foo", "1")], true),
            (both, &[("foo", "1"), ("bar", "2")], &[("foo", "1"), ("bar", "3")], false),
            (&[("vary", "foo"), ("vary", "bar")], &[("bar", "2")], &[("bar", "3")], false),
        ];
        for (response, stored, asked, expected) in cases {
            let selecting = Selecting::of(&map(response), &map(stored)).unwrap();
            assert_eq!(selecting.matches(&map(asked)), expected, "{response:?} {stored:?} {asked:?}");
        }
    }

    #[test]
    fn a_star_anywhere_means_never() {
        let cases: [Fields<'_>; 6] = [
            &[("vary", "*")],
            &[("vary", "*, *")],
            &[("vary", ", *")],
            &[("vary", ""), ("vary", "*")],
            &[("vary", "foo, *")],
            &[("vary", "foo bar")],
        ];
        for response in cases {
            assert_eq!(Selecting::of(&map(response), &map(&[])), None, "{response:?}");
        }
    }
}
