//! Which part of the body the client wants (RFC 9110 §14).
//!
//! A range counts the bytes of the selected representation, so of the coded body where a coding was chosen (§14.1.2);
//! its entity tag names the coding too, so that the parts which a client puts together are of one body.

use super::conditional::{Comparison, matches};
use ::http::{HeaderMap, HeaderValue, header};

/// What goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// All of it: 200.
    Whole,
    /// The bytes from `first` to `last`, both included: 206.
    Bytes {
        /// Of the first byte.
        first: usize,
        /// Of the last byte; less than the length.
        last: usize,
    },
    /// The range lies beyond the body: 416.
    Unsatisfiable,
}

/// What of `length` bytes a `GET` asks for.
///
/// To be asked only where the answer would be 200, once the conditions of the request hold (RFC 9110 §14.2). A header
/// that is malformed, in another unit than bytes, or of several ranges is ignored, which §14.2 allows: the whole body
/// is right for everybody, and several ranges at once are a way to make servers do needless work (§17.15).
pub fn requested(headers: &HeaderMap, length: usize, etag: &HeaderValue) -> Part {
    let Some(range) = headers.get(header::RANGE) else {
        return Part::Whole;
    };
    // §13.1.5: the part only if the representation is still the same one. A date is never good enough here: the page
    // cannot be known to have changed only once within that second (§8.8.2.2).
    if headers.get(header::IF_RANGE).is_some_and(|tag| !matches(tag.as_bytes(), etag, Comparison::Strong)) {
        return Part::Whole;
    }
    range.to_str().ok().and_then(|range| parse(range, length)).unwrap_or(Part::Whole)
}

/// `None` where the header is to be ignored.
fn parse(range: &str, length: usize) -> Option<Part> {
    let (unit, range) = range.split_once('=')?;
    // §14.1: unit names are case-insensitive.
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    // A comma, so several ranges, is not a digit and makes `number` give up.
    let (first, last) = range.trim_matches([' ', '\t']).split_once('-')?;
    match (first, last) {
        ("", "") => None,
        // §14.1.2: the last so many bytes, or all where there are fewer.
        ("", suffix) => match number(suffix)? {
            0 => Some(Part::Unsatisfiable),
            // No `Content-Range` can name an empty part.
            _ if length == 0 => None,
            suffix => Some(Part::Bytes { first: length.saturating_sub(suffix), last: length - 1 }),
        },
        (first, last) => {
            let first = number(first)?;
            let last = if last.is_empty() { usize::MAX } else { number(last)? };
            // §14.1.1: the last position before the first makes the range invalid.
            if last < first {
                return None;
            }
            // §14.1.2: satisfiable if the first position is within the body; the last may lie beyond.
            let end = length.saturating_sub(1);
            Some(if first < length {
                Part::Bytes { first, last: last.min(end) }
            } else {
                Part::Unsatisfiable
            })
        }
    }
}

/// Digits alone; a number beyond all bodies is as large as any other.
fn number(digits: &str) -> Option<usize> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::{Part::*, *};
    use proptest::prelude::*;

    fn asked(length: usize, range: &str, if_range: Option<&str>) -> Part {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_str(range).unwrap());
        if let Some(if_range) = if_range {
            headers.insert(header::IF_RANGE, HeaderValue::from_str(if_range).unwrap());
        }
        requested(&headers, length, &HeaderValue::from_static("\"abc\""))
    }

    #[test]
    fn ranges_of_ten_bytes() {
        let cases = [
            ("bytes=0-4", Bytes { first: 0, last: 4 }),
            ("bytes=0-0", Bytes { first: 0, last: 0 }),
            ("bytes=9-9", Bytes { first: 9, last: 9 }),
            ("bytes=5-", Bytes { first: 5, last: 9 }),
            ("bytes=5-100", Bytes { first: 5, last: 9 }),
            ("bytes=0-99999999999999999999999", Bytes { first: 0, last: 9 }),
            ("bytes=-3", Bytes { first: 7, last: 9 }),
            ("bytes=-100", Bytes { first: 0, last: 9 }),
            ("Bytes=0-4", Bytes { first: 0, last: 4 }),
            ("bytes= 0-4 ", Bytes { first: 0, last: 4 }),
            ("bytes=10-", Unsatisfiable),
            ("bytes=10-20", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=4-0", Whole),
            ("bytes=-", Whole),
            ("bytes=", Whole),
            ("bytes", Whole),
            ("bytes=a-b", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=1-2-3", Whole),
            ("bytes=--1", Whole),
            ("items=0-4", Whole),
            ("bytes=0-1,3-4", Whole),
            ("bytes=0-1,", Whole),
        ];
        for (range, expected) in cases {
            assert_eq!(asked(10, range, None), expected, "{range}");
        }
    }

    #[test]
    fn an_empty_body_has_no_part() {
        assert_eq!(asked(0, "bytes=0-", None), Unsatisfiable);
        assert_eq!(asked(0, "bytes=-5", None), Whole);
        assert_eq!(asked(0, "bytes=-0", None), Unsatisfiable);
    }

    #[test]
    fn another_version_is_sent_whole() {
        let part = Bytes { first: 0, last: 4 };
        let cases = [
            ("\"abc\"", part),
            ("\"abc-br\"", Whole),
            ("W/\"abc\"", Whole),
            ("\"abc\", \"x\"", Whole),
            ("*", Whole),
            ("Thu, 02 Jan 2020 00:00:00 GMT", Whole),
            ("", Whole),
        ];
        for (if_range, expected) in cases {
            assert_eq!(asked(10, "bytes=0-4", Some(if_range)), expected, "{if_range}");
        }
        assert_eq!(
            asked(10, "bytes=20-", Some("\"other\"")),
            Whole,
            "not 416: the range was of another version"
        );
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_body(range in "bytes=[0-9]{0,5}-[0-9]{0,5}", length in 0usize..2000) {
            if let Bytes { first, last } = asked(length, &range, None) {
                prop_assert!(first <= last && last < length);
            }
        }

        #[test]
        fn any_header_gets_an_answer(range in "[ -~]{0,40}", length in 0usize..200) {
            asked(length, &range, None);
            asked(length, &format!("bytes={range}"), None);
        }

        #[test]
        fn what_was_asked_for_is_what_goes_out(first in 0usize..300, span in 0usize..300, length in 1usize..200) {
            let expected = match first {
                first if first >= length => Unsatisfiable,
                first => Bytes { first, last: (first + span).min(length - 1) },
            };
            prop_assert_eq!(asked(length, &format!("bytes={first}-{}", first + span), None), expected);
        }
    }
}
