//! What a caller gives along with its trace (W3C Baggage): pairs for who comes later, never for decisions about access.

use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// Members that are carried; more are left out (§3.3.2 asks for at least so many).
const MOST_MEMBERS: usize = 64;

/// Bytes that are carried (§3.3.2).
const LONGEST: usize = 8192;

/// The pairs of one request, each with its properties as they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Baggage(Vec<String>);

impl Baggage {
    /// From the lines of the header. A malformed member is left out alone; the rest is carried on.
    pub fn parse<'l>(lines: impl IntoIterator<Item = &'l [u8]>) -> Self {
        let mut members = Vec::new();
        let mut length = 0;
        for line in lines {
            let Ok(line) = std::str::from_utf8(line) else { continue };
            for member in line.split(',').map(|member| member.trim_matches([' ', '\t'])) {
                if !is_member(member) {
                    continue;
                }
                // With the comma that parts it from the one before.
                length += member.len() + usize::from(!members.is_empty());
                if members.len() == MOST_MEMBERS || length > LONGEST {
                    return Self(members);
                }
                members.push(member.to_owned());
            }
        }
        Self(members)
    }

    /// As the header has it; empty where there is none.
    pub fn header(&self) -> String {
        self.0.join(",")
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value under a name, percent-decoded. Whoever asked has chosen it: take it for a hint.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let pair = |member: &'_ String| -> Option<(usize, usize)> {
            let end = member.find(';').unwrap_or(member.len());
            let equals = member.get(..end)?.find('=')?;
            (member.get(..equals)?.trim_end() == name).then_some((equals + 1, end))
        };
        self.0.iter().find_map(|member| {
            let (from, to) = pair(member)?;
            Some(percent_decode_str(member.get(from..to)?.trim()).decode_utf8_lossy())
        })
    }
}

/// `key=value`, and properties (§3.3.1).
fn is_member(member: &str) -> bool {
    let mut parts = member.split(';');
    let Some((key, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return false };
    let key_is_token = is_token(key.trim_end_matches([' ', '\t']));
    key_is_token && is_value(value.trim_matches([' ', '\t'])) && parts.all(is_property)
}

fn is_property(text: &str) -> bool {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    is_token(key.trim_matches([' ', '\t'])) && is_value(value.trim_matches([' ', '\t']))
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// `baggage-octet`: printable, without space, quotation mark, comma, semicolon and backslash.
fn is_value(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, 0x21..=0x7e) && !matches!(byte, b'"' | b',' | b';' | b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn members_are_carried_on_with_their_properties_and_malformed_ones_left_out() {
        let parse = |lines: &[&str]| Baggage::parse(lines.iter().map(|line| line.as_bytes()));
        for (name, lines, header) in [
            ("one", &["a=1"][..], "a=1"),
            ("spaces and lines", &["a = 1 , b=2", "c=3;p;q=4"], "a = 1,b=2,c=3;p;q=4"),
            ("malformed ones", &["a=1,b,=2,c=\"3\",d=4;=5,e=6"], "a=1,e=6"),
            ("an empty value", &["a="], "a="),
            ("none", &[], ""),
        ] {
            assert_eq!(parse(lines).header(), header, "{name}");
        }
        let baggage = parse(&["user = a%20b ;p=1, c=%E2%82%AC"]);
        assert_eq!(baggage.get("user").as_deref(), Some("a b"));
        assert_eq!(baggage.get("c").as_deref(), Some("€"));
        assert_eq!(baggage.get("p"), None);
    }

    #[test]
    fn neither_members_nor_bytes_are_endless() {
        let many = (0..100).map(|at| format!("k{at}=v")).collect::<Vec<_>>().join(",");
        assert_eq!(Baggage::parse([many.as_bytes()]).header().split(',').count(), MOST_MEMBERS);
        let long = format!("a=1,b={}", "x".repeat(LONGEST));
        assert_eq!(Baggage::parse([long.as_bytes()]).header(), "a=1");
    }

    proptest! {
        #[test]
        fn what_is_carried_is_bounded_and_stable(lines in proptest::collection::vec(any::<Vec<u8>>(), 0..4), text in "[a-c=,;% \"0-9]{0,400}") {
            let lines = lines.iter().map(Vec::as_slice).chain([text.as_bytes()]);
            let baggage = Baggage::parse(lines);
            let header = baggage.header();
            prop_assert!(header.len() <= LONGEST && !header.contains(['\r', '\n']));
            prop_assert_eq!(Baggage::parse([header.as_bytes()]), baggage);
        }
    }
}
