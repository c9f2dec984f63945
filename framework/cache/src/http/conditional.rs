//! Whether the client has the answer already (RFC 9110 §13).

use ::http::{HeaderMap, HeaderValue, header};

/// What identifies one representation: a page in one content coding.
#[derive(Debug, Clone, Copy)]
pub struct Validators<'a> {
    /// Its entity tag, strong and quoted.
    pub etag: &'a HeaderValue,
    /// Its `Last-Modified`, where the page gave one.
    pub last_modified: Option<&'a HeaderValue>,
}

/// What the request's conditions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precondition {
    /// The answer goes out.
    Send,
    /// The client has it: 304.
    NotModified,
    /// The client wanted another version of it: 412.
    Failed,
}

/// Weighs the conditions of a `GET` or `HEAD` in the order of RFC 9110 §13.2.2.
///
/// To be asked only where the answer without them would be 2xx (§13.2.1).
pub fn evaluate(headers: &HeaderMap, validators: Validators<'_>) -> Precondition {
    // Step 1. `If-Match` compares strongly (§13.1.1).
    if headers.contains_key(header::IF_MATCH) {
        if !any_matches(headers.get_all(header::IF_MATCH), validators.etag, Comparison::Strong) {
            return Precondition::Failed;
        }
    // Step 2, only without `If-Match`. A date that is not one, or nothing to compare it with: ignored (§13.1.4).
    } else if let Some(false) =
        changed_since(headers, &header::IF_UNMODIFIED_SINCE, validators).map(|changed| !changed)
    {
        return Precondition::Failed;
    }
    // Step 3. `If-None-Match` compares weakly (§13.1.2).
    if headers.contains_key(header::IF_NONE_MATCH) {
        if any_matches(headers.get_all(header::IF_NONE_MATCH), validators.etag, Comparison::Weak) {
            return Precondition::NotModified;
        }
    // Step 4, only without `If-None-Match`, which is more exact (§13.1.3).
    } else if changed_since(headers, &header::IF_MODIFIED_SINCE, validators) == Some(false) {
        return Precondition::NotModified;
    }
    Precondition::Send
}

/// How entity tags are compared (RFC 9110 §8.8.3.2). Those of Tropos's pages are always strong; those of other origins
/// may be weak.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Comparison {
    /// Neither may be weak.
    Strong,
    /// `W/` does not matter.
    Weak,
}

/// Whether the list names the tag; `*` names any that exists.
pub(super) fn any_matches<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
    etag: &HeaderValue,
    by: Comparison,
) -> bool {
    lines.into_iter().any(|line| {
        let mut rest = line.as_bytes().trim_ascii();
        if rest == b"*" {
            return true;
        }
        while let Some((tag, after)) = next_tag(rest) {
            if tag.names(etag, by) {
                return true;
            }
            rest = after;
        }
        false
    })
}

/// Whether the one entity tag in this value names the tag.
pub(super) fn matches(value: &[u8], etag: &HeaderValue, by: Comparison) -> bool {
    next_tag(value).is_some_and(|(tag, rest)| rest.trim_ascii().is_empty() && tag.names(etag, by))
}

struct EntityTag<'a> {
    weak: bool,
    /// With its quotes.
    opaque: &'a [u8],
}

impl EntityTag<'_> {
    fn names(&self, etag: &HeaderValue, by: Comparison) -> bool {
        let (weak, opaque) = match etag.as_bytes().strip_prefix(b"W/") {
            Some(opaque) => (true, opaque),
            None => (false, etag.as_bytes()),
        };
        (by == Comparison::Weak || !(self.weak || weak)) && self.opaque == opaque
    }
}

/// The first tag of a list (RFC 9110 §8.8.3) and what follows it; `None` at its end, or where it is malformed: what
/// cannot be read cannot match.
fn next_tag(list: &[u8]) -> Option<(EntityTag<'_>, &[u8])> {
    let start = list.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b','))?;
    let tag = list.get(start..)?;
    let (weak, tag) = tag.strip_prefix(b"W/").map_or((false, tag), |tag| (true, tag));
    // Everything but the quote may stand between quotes, commas too.
    let inner = tag.strip_prefix(b"\"")?.iter().position(|byte| *byte == b'"')?;
    let (opaque, rest) = tag.split_at_checked(inner + 2)?;
    Some((EntityTag { weak, opaque }, rest))
}

/// Whether the page changed after the date in the header; `None` where either date is missing or is not one.
fn changed_since(headers: &HeaderMap, name: &header::HeaderName, validators: Validators<'_>) -> Option<bool> {
    let date = |value: &HeaderValue| httpdate::parse_http_date(value.to_str().ok()?).ok();
    let since = date(headers.get(name)?)?;
    Some(date(validators.last_modified?)? > since)
}

#[cfg(test)]
mod tests {
    use super::{Precondition::*, *};

    const BEFORE: &str = "Wed, 01 Jan 2020 00:00:00 GMT";
    const MODIFIED: &str = "Thu, 02 Jan 2020 00:00:00 GMT";
    const AFTER: &str = "Fri, 03 Jan 2020 00:00:00 GMT";

    fn weighed(request: &[(&'static str, &str)], last_modified: Option<&str>) -> Precondition {
        let mut headers = HeaderMap::new();
        for (name, value) in request {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let last_modified = last_modified.map(|date| HeaderValue::from_str(date).unwrap());
        let etag = HeaderValue::from_static("\"abc-br\"");
        evaluate(&headers, Validators { etag: &etag, last_modified: last_modified.as_ref() })
    }

    #[test]
    fn entity_tags() {
        let cases = [
            ("if-none-match", "\"abc-br\"", NotModified),
            ("if-none-match", "W/\"abc-br\"", NotModified),
            ("if-none-match", "\"x\", \"abc-br\"", NotModified),
            ("if-none-match", "\"x\",,W/\"abc-br\" , \"y\"", NotModified),
            ("if-none-match", "\"x, \", \"abc-br\"", NotModified),
            ("if-none-match", "*", NotModified),
            ("if-none-match", " * ", NotModified),
            ("if-none-match", "\"abc\"", Send),
            ("if-none-match", "\"abc-gzip\"", Send),
            ("if-none-match", "\"ABC-BR\"", Send),
            ("if-none-match", "\"abc-br", Send),
            ("if-none-match", "abc-br", Send),
            ("if-none-match", "w/\"abc-br\"", Send),
            ("if-none-match", "x, \"abc-br\"", Send),
            ("if-none-match", "", Send),
            ("if-match", "\"abc-br\"", Send),
            ("if-match", "*", Send),
            ("if-match", "\"x\", \"abc-br\"", Send),
            ("if-match", "W/\"abc-br\"", Failed),
            ("if-match", "\"x\"", Failed),
            ("if-match", "nonsense", Failed),
        ];
        for (name, value, expected) in cases {
            assert_eq!(weighed(&[(name, value)], None), expected, "{name}: {value}");
        }
        let lines = [("if-none-match", "\"x\""), ("if-none-match", "\"abc-br\"")];
        assert_eq!(weighed(&lines, None), NotModified, "two lines");
    }

    #[test]
    fn dates_count_only_beside_last_modified_and_only_without_entity_tags() {
        type Headers = &'static [(&'static str, &'static str)];
        let cases: &[(Headers, Option<&str>, Precondition)] = &[
            (&[("if-modified-since", MODIFIED)], None, Send),
            (&[("if-modified-since", MODIFIED)], Some(MODIFIED), NotModified),
            (&[("if-modified-since", AFTER)], Some(MODIFIED), NotModified),
            (&[("if-modified-since", BEFORE)], Some(MODIFIED), Send),
            (&[("if-modified-since", "yesterday")], Some(MODIFIED), Send),
            (&[("if-modified-since", AFTER), ("if-none-match", "\"x\"")], Some(MODIFIED), Send),
            (&[("if-unmodified-since", BEFORE)], Some(MODIFIED), Failed),
            (&[("if-unmodified-since", AFTER)], Some(MODIFIED), Send),
            (&[("if-unmodified-since", BEFORE)], None, Send),
            (&[("if-unmodified-since", BEFORE), ("if-match", "\"abc-br\"")], Some(MODIFIED), Send),
            (&[("if-match", "\"abc-br\""), ("if-none-match", "\"abc-br\"")], None, NotModified),
        ];
        for (request, last_modified, expected) in cases {
            assert_eq!(weighed(request, *last_modified), *expected, "{request:?} {last_modified:?}");
        }
    }
}
