//! The path of a route, with its parameters.

use crate::{CanonicalPath, Error, path};
use std::{cmp::Ordering, fmt};

/// One segment of a [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Matches itself.
    Static(String),
    /// `:name`, matches one segment.
    Param(String),
    /// `*name`, matches one or more segments to the end.
    CatchAll(String),
}

/// The path of a route: `/products/:id`, `/docs/*page`.
///
/// ```
/// use tropos_core::{CanonicalPath, Pattern};
/// let pattern = Pattern::parse("/products/:id").unwrap();
/// let params = pattern.matches(&CanonicalPath::parse("/products/42").unwrap()).unwrap();
/// assert_eq!(params.get("id"), Some("42"));
/// assert_eq!(pattern.fill(["4 2"]), "/products/4%202");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
}

/// The parameters of a path, decoded, in the order of the pattern.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// The parameter of that name. A catch-all has its segments joined by `/`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Names and values, in the order of the pattern.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The values in the order of the pattern.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|(_, value)| value.as_str())
    }
}

impl Pattern {
    /// Reads a route's path.
    ///
    /// # Errors
    /// [`Error::Pattern`]: no leading slash, an empty segment or name, a name used twice, a catch-all before the end,
    /// a trailing slash, or a character that a canonical path would spell otherwise.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |problem: &str| Error::Pattern { pattern: text.to_owned(), problem: problem.to_owned() };
        let inner = text.strip_prefix('/').ok_or_else(|| wrong("must begin with `/`"))?;
        let mut segments: Vec<Segment> = Vec::new();
        for part in inner.split('/').filter(|_| !inner.is_empty()) {
            if matches!(segments.last(), Some(Segment::CatchAll(_))) {
                return Err(wrong("goes on behind a catch-all: `*name` matches to the end, so put it last"));
            }
            let name = |name: &str| match name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                true if !name.is_empty() => Ok(name.to_owned()),
                _ => Err(wrong("has a parameter whose name is not made of letters, digits and `_`")),
            };
            segments.push(match part.split_at_checked(1) {
                None => {
                    return Err(wrong(
                        "has an empty segment: write one `/` between segments, and none at the end",
                    ));
                }
                Some((":", rest)) => Segment::Param(name(rest)?),
                Some(("*", rest)) => Segment::CatchAll(name(rest)?),
                Some(_) if path::encode(part).collect::<String>() != part || part == "." || part == ".." => {
                    return Err(wrong(
                        "has a segment that browsers would spell otherwise: use plain characters",
                    ));
                }
                Some(_) => Segment::Static(part.to_owned()),
            });
        }
        let pattern = Self { text: text.to_owned(), segments };
        let names: Vec<_> = pattern.names().collect();
        match names.iter().enumerate().any(|(at, name)| names.iter().take(at).any(|other| other == name)) {
            true => Err(wrong("uses one parameter name twice")),
            false => Ok(pattern),
        }
    }

    /// The path as it was declared.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The segments.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The names of its parameters, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Static(_) => None,
            Segment::Param(name) | Segment::CatchAll(name) => Some(name.as_str()),
        })
    }

    /// The parameters of `path`, where it matches. A path with a trailing slash matches nothing.
    pub fn matches(&self, path: &CanonicalPath) -> Option<Params> {
        if path.has_trailing_slash() {
            return None;
        }
        let mut params = Vec::new();
        let mut rest = path.segments();
        for segment in &self.segments {
            let value = rest.next()?;
            match segment {
                Segment::Static(text) if text == value => {}
                Segment::Static(_) => return None,
                Segment::Param(name) => params.push((name.clone(), value.to_owned())),
                Segment::CatchAll(name) => {
                    let value = [value].into_iter().chain(rest.by_ref()).collect::<Vec<_>>().join("/");
                    params.push((name.clone(), value));
                }
            }
        }
        rest.next().is_none().then_some(Params(params))
    }

    /// The path with its parameters filled in, in order, encoded. A missing value leaves an empty segment, which no
    /// route matches.
    pub fn fill<V: AsRef<str>>(&self, values: impl IntoIterator<Item = V>) -> String {
        let mut values = values.into_iter();
        let mut out = String::new();
        for segment in &self.segments {
            out.push('/');
            match segment {
                Segment::Static(text) => out.push_str(text),
                Segment::Param(_) => out.extend(values.next().iter().flat_map(|v| path::encode(v.as_ref()))),
                Segment::CatchAll(_) => {
                    let value = values.next();
                    let value = value.as_ref().map_or("", AsRef::as_ref);
                    out.push_str(
                        &value
                            .split('/')
                            .map(|s| path::encode(s).collect())
                            .collect::<Vec<String>>()
                            .join("/"),
                    );
                }
            }
        }
        if out.is_empty() { "/".to_owned() } else { out }
    }

    /// Orders patterns so that the more specific is tried first: static before parameter before catch-all, from the
    /// left; the longer first where one is the beginning of the other.
    pub fn specificity(&self, other: &Self) -> Ordering {
        let rank = |segment: &Segment| match segment {
            Segment::Static(_) => 0,
            Segment::Param(_) => 1,
            Segment::CatchAll(_) => 2,
        };
        let pairs = self.segments.iter().zip(&other.segments);
        pairs
            .map(|(a, b)| rank(a).cmp(&rank(b)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
            .then_with(|| other.segments.len().cmp(&self.segments.len()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether two patterns match exactly the same paths: alike but for the names of their parameters. For use at compile
/// time, by `routes!`.
pub const fn same_paths(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let (mut i, mut j) = (0, 0);
    loop {
        match (i < a.len(), j < b.len()) {
            (false, false) => return true,
            (true, true) => {}
            _ => return false,
        }
        if byte(a, i) != byte(b, j) {
            return false;
        }
        let starts_segment = byte(a, i) == b'/';
        i += 1;
        j += 1;
        if starts_segment
            && i < a.len()
            && j < b.len()
            && byte(a, i) == byte(b, j)
            && matches!(byte(a, i), b':' | b'*')
        {
            i = end_of_segment(a, i);
            j = end_of_segment(b, j);
        }
    }
}

/// Bounds were checked by the caller.
const fn byte(text: &[u8], at: usize) -> u8 {
    match text.split_at_checked(at) {
        Some((_, [byte, ..])) => *byte,
        _ => 0,
    }
}

const fn end_of_segment(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && byte(text, at) != b'/' {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(pattern: &str, path: &str) -> Option<Vec<String>> {
        let params = Pattern::parse(pattern).unwrap().matches(&CanonicalPath::parse(path).unwrap())?;
        Some(params.values().map(str::to_owned).collect())
    }

    #[test]
    fn patterns_match_whole_paths_with_decoded_parameters() {
        let cases: &[(&str, &str, Option<&[&str]>)] = &[
            ("/", "/", Some(&[])),
            ("/", "/a", None),
            ("/a", "/a", Some(&[])),
            ("/a", "/A", None),
            ("/a", "/a/", None),
            ("/p/:id", "/p/42", Some(&["42"])),
            ("/p/:id", "/p/a%20b", Some(&["a b"])),
            ("/p/:id", "/p", None),
            ("/p/:id", "/p/a/b", None),
            ("/p/:a/x/:b", "/p/1/x/2", Some(&["1", "2"])),
            ("/d/*rest", "/d/a/b/c", Some(&["a/b/c"])),
            ("/d/*rest", "/d", None),
        ];
        for (pattern, path, expected) in cases {
            let expected = expected.map(|values| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>());
            assert_eq!(matched(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn malformed_patterns_say_what_to_write() {
        let cases = [
            ("a", "must begin with `/`"),
            ("/a/", "empty segment"),
            ("/a//b", "empty segment"),
            ("/:", "name is not made of"),
            ("/*a/b", "put it last"),
            ("/:a/:a", "twice"),
            ("/a b", "spell otherwise"),
            ("/..", "spell otherwise"),
        ];
        for (pattern, problem) in cases {
            let error = Pattern::parse(pattern).unwrap_err().to_string();
            assert!(error.contains(problem), "{pattern}: {error}");
        }
    }

    #[test]
    fn filling_and_matching_are_inverse() {
        let pattern = Pattern::parse("/a/:x/*rest").unwrap();
        let path = pattern.fill(["1/2 é", "p/q r"]);
        assert_eq!(path, "/a/1%2F2%20%C3%A9/p/q%20r");
        assert_eq!(Pattern::parse("/").unwrap().fill::<&str>([]), "/");
    }

    #[test]
    fn the_more_specific_pattern_is_tried_first() {
        let mut patterns = ["/*all", "/:a", "/a/:b", "/a", "/:a/b", "/"].map(|p| Pattern::parse(p).unwrap());
        patterns.sort_by(Pattern::specificity);
        assert_eq!(patterns.map(|p| p.as_str().to_owned()), ["/a/:b", "/a", "/:a/b", "/:a", "/*all", "/"]);
    }

    #[test]
    fn two_patterns_with_the_same_paths_are_found_whatever_their_parameters_are_called() {
        for (a, b, same) in [
            ("/a/:x", "/a/:y", true),
            ("/a/:x/b", "/a/:long/b", true),
            ("/a/*x", "/a/*y", true),
            ("/a/:x", "/a/*x", false),
            ("/a/:x", "/a/x", false),
            ("/a", "/a/b", false),
            ("/", "/", true),
            ("/:a/:b", "/:b/:c", true),
        ] {
            assert_eq!(same_paths(a, b), same, "{a} {b}");
        }
    }
}
