//! Who is who among traces: ids, and the headers that carry them (W3C Trace Context, Level 1 with what Level 2 adds).

use std::fmt;

/// The name of a trace: 128 random bits, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(u128);

/// The name of a span: 64 random bits, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(u64);

impl TraceId {
    /// A new one.
    pub fn random() -> Self {
        Self(rand::random::<u128>().max(1))
    }

    /// From its number; `None` for zero, which names no trace.
    pub fn new(number: u128) -> Option<Self> {
        (number != 0).then_some(Self(number))
    }

    /// From 32 hexadecimal digits, as addresses and logs have it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::new(hex(text.as_bytes(), 32)?).filter(|_| text.len() == 32)
    }

    /// Its number.
    pub fn number(self) -> u128 {
        self.0
    }

    /// Its bytes, as OTLP has them.
    pub fn bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl SpanId {
    /// A new one.
    pub fn random() -> Self {
        Self(rand::random::<u64>().max(1))
    }

    /// From its number; `None` for zero, which names no span.
    pub fn new(number: u64) -> Option<Self> {
        (number != 0).then_some(Self(number))
    }

    /// Its bytes, as OTLP has them.
    pub fn bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

/// 32 small hexadecimal digits.
impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// 16 small hexadecimal digits.
impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A span of a trace, as others are told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanContext {
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// Whether who made it keeps the trace.
    pub sampled: bool,
}

impl SpanContext {
    /// From `traceparent` (§3.2). `None` where it is malformed: then the request begins a trace of its own (§3.4).
    pub fn parse(text: &[u8]) -> Option<Self> {
        // A later version may say more, behind what version 00 says (§4.3).
        let (known, rest) = text.split_at_checked(55)?;
        let version = hex(known, 2)?;
        let well_ended = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.first().is_none_or(|byte| *byte == b'-'),
        };
        let dashed = [2, 35, 52].iter().all(|at| known.get(*at) == Some(&b'-'));
        if !well_ended || !dashed {
            return None;
        }
        let number = |from: usize, digits: usize| hex(known.get(from..)?, digits);
        Some(Self {
            trace: TraceId::new(number(3, 32)?)?,
            span: SpanId::new(u64::try_from(number(36, 16)?).ok()?)?,
            sampled: number(53, 2)? & 1 == 1,
        })
    }
}

/// As `traceparent`, and `traceresponse`, have it.
impl fmt::Display for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

/// The number of the first so many digits, which must be small ones (§3.2.2: `HEXDIGLC`).
fn hex(text: &[u8], digits: usize) -> Option<u128> {
    text.get(..digits)?.iter().try_fold(0, |number: u128, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

/// Members of `tracestate`; a longer list is malformed (§3.3.1.1).
const MOST_MEMBERS: usize = 32;

/// What is carried on of `tracestate`, in bytes: as much as everybody must (§3.3.1.5).
const LONGEST_STATE: usize = 512;

/// What other tracing systems say beside `traceparent`. Carried on as it came; Tropos adds nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceState(String);

impl TraceState {
    /// From the lines of the header, which are one list (§3.3). Empty where it is malformed (§3.3.1). Where it is too long, members are
    /// left out from the end, those of more than 128 bytes first (§3.3.1.5).
    pub fn parse<'l>(lines: impl IntoIterator<Item = &'l [u8]>) -> Self {
        let mut members: Vec<&str> = Vec::new();
        for line in lines {
            let Ok(line) = std::str::from_utf8(line) else { return Self::default() };
            for member in line.split(',').map(|member| member.trim_matches([' ', '\t'])) {
                if member.is_empty() {
                    continue;
                }
                let known = members.iter().any(|known| key(known) == key(member));
                if !is_member(member) || known || members.len() == MOST_MEMBERS {
                    return Self::default();
                }
                members.push(member);
            }
        }
        let length = |members: &[&str]| members.iter().map(|member| member.len() + 1).sum::<usize>();
        while length(&members) > LONGEST_STATE + 1 {
            let long = members.iter().rposition(|member| member.len() > 128);
            members.remove(long.unwrap_or(members.len() - 1));
        }
        Self(members.join(","))
    }

    /// As the header has it; empty where there is none.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As [`as_str`](Self::as_str), without a copy.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// What stands before the `=`.
fn key(member: &str) -> &str {
    member.split_once('=').map_or(member, |(key, _)| key)
}

/// `key=value` (§3.3.1.3).
fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else { return false };
    let first = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let of_key = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@')
    };
    let key_is_fine =
        key.len() <= 256 && key.as_bytes().first().is_some_and(first) && key.bytes().all(of_key);
    let of_value = |byte: u8| matches!(byte, 0x20..=0x7e) && !matches!(byte, b',' | b'=');
    key_is_fine && (1..=256).contains(&value.len()) && value.bytes().all(of_value) && !value.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn traceparent_is_read_by_the_rules_of_its_version() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let sampled = |text: &str| SpanContext::parse(text.as_bytes()).map(|context| context.sampled);
        for (name, text, expected) in [
            ("sampled", good.to_owned(), Some(true)),
            ("not sampled", good.replace("-01", "-00"), Some(false)),
            ("other flags are passed over", good.replace("-01", "-02"), Some(false)),
            ("other flags with that one", good.replace("-01", "-ff"), Some(true)),
            ("version 00 says no more", format!("{good}-x"), None),
            ("a later version may", format!("{}-what", good.replacen("00", "cc", 1)), Some(true)),
            ("or may not", good.replacen("00", "cc", 1), Some(true)),
            ("but apart", format!("{}.what", good.replacen("00", "cc", 1)), None),
            ("no version ff", good.replacen("00", "ff", 1), None),
            ("large digits", good.to_uppercase(), None),
            ("no trace", good.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)), None),
            ("no span", good.replace("b7ad6b7169203331", &"0".repeat(16)), None),
            ("too short", good[..54].to_owned(), None),
            ("no dash", good.replace('-', "_"), None),
            ("not hexadecimal", good.replace("af7", "xf7"), None),
            ("nothing", String::new(), None),
        ] {
            assert_eq!(sampled(&text), expected, "{name}");
        }
        assert_eq!(SpanContext::parse(good.as_bytes()).unwrap().to_string(), good);
    }

    #[test]
    fn tracestate_is_one_list_carried_on_as_it_came() {
        let parse = |lines: &[&str]| TraceState::parse(lines.iter().map(|line| line.as_bytes()));
        let many = (0..33).map(|at| format!("k{at}=v")).collect::<Vec<_>>().join(",");
        for (name, lines, expected) in [
            ("one", &["a=1"][..], "a=1"),
            ("spaces", &["a=1 , b=2"], "a=1,b=2"),
            ("lines", &["a=1", "b@c=2"], "a=1,b@c=2"),
            ("an empty member", &["a=1,,b=2"], "a=1,b=2"),
            ("no key", &["a=1,=2"], ""),
            ("no value", &["a"], ""),
            ("a large letter", &["A=1"], ""),
            ("twice", &["a=1,a=2"], ""),
            ("too many", &[many.as_str()], ""),
            ("none", &[], ""),
        ] {
            assert_eq!(parse(lines).as_str(), expected, "{name}");
        }
        let long = format!(
            "long={},a={},b={},c={}",
            "x".repeat(200),
            "y".repeat(120),
            "y".repeat(120),
            "y".repeat(120)
        );
        assert!(parse(&[&long]).as_str().starts_with("a=yyy"), "the long one goes first");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(trace in 1u128.., span in 1u64.., sampled: bool) {
            let context = SpanContext { trace: TraceId::new(trace).unwrap(), span: SpanId::new(span).unwrap(), sampled };
            prop_assert_eq!(SpanContext::parse(context.to_string().as_bytes()), Some(context));
            prop_assert_eq!(TraceId::parse(&context.trace.to_string()), Some(context.trace));
        }

        #[test]
        fn nothing_that_comes_is_too_strange(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(context) = SpanContext::parse(&text) {
                let written = context.to_string();
                prop_assert_eq!(&written.as_bytes()[3..52], &text[3..52]);
            }
        }

        #[test]
        fn a_state_is_bounded_and_stable(lines in proptest::collection::vec("[ a-c=,0-9@*x]{0,300}", 0..6)) {
            let state = TraceState::parse(lines.iter().map(|line| line.as_bytes()));
            prop_assert!(state.as_str().len() <= LONGEST_STATE);
            prop_assert_eq!(TraceState::parse([state.as_str().as_bytes()]), state);
        }
    }
}
