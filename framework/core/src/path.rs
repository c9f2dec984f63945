//! The one parser of request paths.
//!
//! Hooks, router and cache key all use its result, so that no spelling means one thing to a guard and another to the
//! page behind it. A path that could be read in two ways is refused.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Why a path has no single meaning; each is answered with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Does not begin with `/`.
    #[error("does not begin with a slash")]
    NotAbsolute,
    /// `%` without two hexadecimal digits behind it, or bytes that are not UTF-8.
    #[error("has a malformed percent-encoding")]
    Malformed,
    /// `//`: an empty segment.
    #[error("has an empty segment")]
    EmptySegment,
    /// `.` or `..`, encoded or not.
    #[error("has a dot segment")]
    DotSegment,
    /// An encoded slash, a backslash or a control character.
    #[error("has an encoded slash, a backslash or a control character")]
    Forbidden,
}

/// A path that has exactly one spelling: decoded segments, and their one encoding.
///
/// ```
/// use tropos_core::CanonicalPath;
/// let path = CanonicalPath::parse("/caf%C3%A9/%61").unwrap();
/// assert_eq!(path.segments().collect::<Vec<_>>(), ["café", "a"]);
/// assert_eq!(path.as_str(), "/caf%C3%A9/a");
/// assert!(CanonicalPath::parse("/a/%2e%2e/b").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CanonicalPath {
    canonical: String,
    segments: Vec<String>,
    trailing_slash: bool,
}

/// All but RFC 3986's unreserved characters, and those sub-delimiters and `:@` that are harmless in a segment.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

impl CanonicalPath {
    /// Reads the path of a request, as it came, without its query.
    ///
    /// # Errors
    /// A [`PathError`] for every path that has no single meaning.
    pub fn parse(raw: &str) -> Result<Self, PathError> {
        let inner = raw.strip_prefix('/').ok_or(PathError::NotAbsolute)?;
        let (inner, trailing_slash) = match inner.strip_suffix('/') {
            Some(inner) => (inner, true),
            None => (inner, false),
        };
        if inner.is_empty() {
            return match trailing_slash {
                true => Err(PathError::EmptySegment),
                false => Ok(Self { canonical: "/".to_owned(), segments: Vec::new(), trailing_slash: false }),
            };
        }
        let segments = inner.split('/').map(decode).collect::<Result<Vec<_>, _>>()?;
        let mut canonical = String::with_capacity(raw.len());
        for segment in &segments {
            canonical.push('/');
            canonical.extend(encode(segment));
        }
        Ok(Self { canonical, segments, trailing_slash })
    }

    /// The one spelling, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.canonical
    }

    /// The decoded segments.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = &str> {
        self.segments.iter().map(String::as_str)
    }

    /// Whether it was asked for with a slash at its end. No page has such an address.
    pub fn has_trailing_slash(&self) -> bool {
        self.trailing_slash
    }
}

fn decode(segment: &str) -> Result<String, PathError> {
    if segment.is_empty() {
        return Err(PathError::EmptySegment);
    }
    let mut rest = segment;
    while let Some(at) = rest.find('%') {
        let hex = rest.as_bytes().get(at + 1..at + 3).ok_or(PathError::Malformed)?;
        if !hex.iter().all(u8::is_ascii_hexdigit) {
            return Err(PathError::Malformed);
        }
        rest = rest.get(at + 3..).ok_or(PathError::Malformed)?;
    }
    let decoded = percent_decode_str(segment).decode_utf8().map_err(|_| PathError::Malformed)?;
    if decoded == "." || decoded == ".." {
        return Err(PathError::DotSegment);
    }
    if decoded.chars().any(|c| c == '/' || c == '\\' || c.is_control()) {
        return Err(PathError::Forbidden);
    }
    Ok(decoded.into_owned())
}

/// The one spelling of a decoded segment.
pub fn encode(segment: &str) -> impl Iterator<Item = &str> {
    utf8_percent_encode(segment, ENCODED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_that_could_be_read_in_two_ways_is_refused() {
        let cases = [
            ("a", PathError::NotAbsolute),
            ("//", PathError::EmptySegment),
            ("//a", PathError::EmptySegment),
            ("/a//b", PathError::EmptySegment),
            ("/a//", PathError::EmptySegment),
            ("/./a", PathError::DotSegment),
            ("/a/..", PathError::DotSegment),
            ("/%2e%2E/a", PathError::DotSegment),
            ("/a%2fb", PathError::Forbidden),
            ("/a%5cb", PathError::Forbidden),
            ("/a\\b", PathError::Forbidden),
            ("/a%00", PathError::Forbidden),
            ("/a%0d%0a", PathError::Forbidden),
            ("/%", PathError::Malformed),
            ("/%4", PathError::Malformed),
            ("/%zz", PathError::Malformed),
            ("/%ff", PathError::Malformed),
            ("/%4é", PathError::Malformed),
        ];
        for (raw, error) in cases {
            assert_eq!(CanonicalPath::parse(raw), Err(error), "{raw}");
        }
    }

    #[test]
    fn encoded_and_decoded_spellings_are_one_path() {
        let same = |a: &str, b: &str| {
            assert_eq!(CanonicalPath::parse(a).unwrap().as_str(), CanonicalPath::parse(b).unwrap().as_str());
        };
        same("/isr/%61", "/isr/a");
        same("/isr/a%20b", "/isr/a b");
        same("/isr/%c3%a9", "/isr/é");
        same("/isr/%3a", "/isr/:");
        assert!(CanonicalPath::parse("/isr/").unwrap().has_trailing_slash());
    }

    proptest! {
        #[test]
        fn reading_the_canonical_spelling_gives_it_again(raw in "/[a-zA-Z0-9%./ éß;:@&=+$,-]{0,40}") {
            if let Ok(path) = CanonicalPath::parse(&raw) {
                let again = CanonicalPath::parse(path.as_str()).unwrap();
                prop_assert_eq!(again.as_str(), path.as_str());
                prop_assert_eq!(again.segments, path.segments);
            }
        }
    }
}
