//! Which requests a hook is for.

use crate::{EdgeRequest, request::Headers};
use http::Method;
use tropos_core::{CanonicalPath, Pattern};

/// Which requests a hook is for. Conditions are combined by [`and`](Match::and), [`any`](Match::any) and
/// [`not`](Match::not).
///
/// ```
/// use tropos_edge::Match;
/// let writes = Match::not(Match::method("GET")).and(Match::below("/office"));
/// let newcomers = Match::path("/").and(Match::not(Match::cookie("seen")));
/// ```
#[derive(Debug, Clone)]
pub struct Match(Kind);

#[derive(Debug, Clone)]
enum Kind {
    All,
    Path(String, Option<Pattern>),
    Below(String, Option<CanonicalPath>),
    Route(String),
    Function(String),
    Method(String),
    Host(String),
    Header(String, Option<String>),
    Cookie(String, Option<String>),
    Query(String, Option<String>),
    Every(Vec<Match>),
    Any(Vec<Match>),
    Not(Box<Match>),
}

impl Match {
    /// Every request.
    pub fn all() -> Self {
        Self(Kind::All)
    }

    /// Paths of a pattern, as routes write them: `/products/:id`, `/files/*rest`.
    pub fn path(pattern: &str) -> Self {
        Self(Kind::Path(pattern.to_owned(), Pattern::parse(pattern).ok()))
    }

    /// A path and all below it, by whole segments: `/office` covers `/office/users`, and not `/offices`.
    pub fn below(path: &str) -> Self {
        Self(Kind::Below(path.to_owned(), CanonicalPath::parse(path).ok()))
    }

    /// The page that declares this path.
    pub fn route(pattern: &str) -> Self {
        Self(Kind::Route(pattern.to_owned()))
    }

    /// The server function of this name, as it is written in its source; one that declares an `endpoint` goes by that.
    pub fn function(name: &str) -> Self {
        Self(Kind::Function(name.to_owned()))
    }

    /// A method. `GET` covers `HEAD`, which is answered as it.
    pub fn method(method: &str) -> Self {
        Self(Kind::Method(method.to_ascii_uppercase()))
    }

    /// A host, without its port; `*.shop.example` covers those below it. Clients choose what they name: alone it is no guard.
    pub fn host(host: &str) -> Self {
        Self(Kind::Host(host.to_ascii_lowercase()))
    }

    /// Requests that carry this header.
    pub fn header(name: &str) -> Self {
        Self(Kind::Header(name.to_owned(), None))
    }

    /// Requests of which some header of this name has this value, or has it as a part of its list: several lines are one list
    /// (RFC 9110 §5.3), and a Worker is handed them as one.
    pub fn header_is(name: &str, value: &str) -> Self {
        Self(Kind::Header(name.to_owned(), Some(value.to_owned())))
    }

    /// Requests that carry this cookie.
    pub fn cookie(name: &str) -> Self {
        Self(Kind::Cookie(name.to_owned(), None))
    }

    /// Requests whose cookie of this name has this value.
    pub fn cookie_is(name: &str, value: &str) -> Self {
        Self(Kind::Cookie(name.to_owned(), Some(value.to_owned())))
    }

    /// Requests whose query has this key.
    pub fn query(key: &str) -> Self {
        Self(Kind::Query(key.to_owned(), None))
    }

    /// Requests whose query has this key with this value first.
    pub fn query_is(key: &str, value: &str) -> Self {
        Self(Kind::Query(key.to_owned(), Some(value.to_owned())))
    }

    /// This, and `other` too.
    #[must_use]
    pub fn and(self, other: Match) -> Self {
        match self.0 {
            Kind::All => other,
            Kind::Every(mut all) => {
                all.push(other);
                Self(Kind::Every(all))
            }
            kind => Self(Kind::Every(vec![Self(kind), other])),
        }
    }

    /// Some of these.
    pub fn any(of: impl IntoIterator<Item = Match>) -> Self {
        Self(Kind::Any(of.into_iter().collect()))
    }

    /// All that this does not cover. Said of a header, cookie or key: those without it.
    #[allow(clippy::should_implement_trait, reason = "read as a condition: Match::not(Match::cookie(..))")]
    pub fn not(of: Match) -> Self {
        Self(Kind::Not(Box::new(of)))
    }

    /// Whether a request is meant.
    pub fn covers(&self, request: &EdgeRequest<'_>) -> bool {
        match &self.0 {
            Kind::All => true,
            Kind::Path(_, pattern) => {
                pattern.as_ref().is_some_and(|pattern| pattern.matches(request.path()).is_some())
            }
            Kind::Below(_, path) => path.as_ref().is_some_and(|path| is_below(path, request.path())),
            Kind::Route(pattern) => request.route().is_some_and(|route| route.pattern == pattern),
            Kind::Function(name) => is_function(request.path().as_str(), name),
            Kind::Method(method) => is_method(method, request.method()),
            Kind::Host(host) => is_host(host, request.host()),
            Kind::Header(name, None) => request.headers().get(name).is_some(),
            Kind::Header(name, Some(value)) => has_value(request.headers(), name, value.as_bytes()),
            Kind::Cookie(name, value) => {
                request.cookie(name).is_some_and(|sent| value.as_ref().is_none_or(|value| value == sent))
            }
            Kind::Query(key, value) => {
                request.query_value(key).is_some_and(|sent| value.as_ref().is_none_or(|value| *value == sent))
            }
            Kind::Every(all) => all.iter().all(|one| one.covers(request)),
            Kind::Any(any) => any.iter().any(|one| one.covers(request)),
            Kind::Not(not) => !not.covers(request),
        }
    }

    /// Whether a request is meant, as far as its method and address decide, which are the same for all who ask for the same;
    /// `None` where headers or cookies do, and with them who asks.
    pub(crate) fn covers_for_all(&self, request: &EdgeRequest<'_>) -> Option<bool> {
        match &self.0 {
            Kind::Header(..) | Kind::Cookie(..) => None,
            Kind::Every(all) => decided(all.iter().map(|one| one.covers_for_all(request)), false),
            Kind::Any(any) => decided(any.iter().map(|one| one.covers_for_all(request)), true),
            Kind::Not(not) => not.covers_for_all(request).map(|covers| !covers),
            _ => Some(self.covers(request)),
        }
    }

    /// Whether requests of a path are meant, as far as path and page decide; `None` where the rest of the request does.
    pub(crate) fn covers_path(&self, path: &CanonicalPath, route: Option<&str>) -> Option<bool> {
        match &self.0 {
            Kind::All => Some(true),
            Kind::Path(_, pattern) => {
                Some(pattern.as_ref().is_some_and(|pattern| pattern.matches(path).is_some()))
            }
            Kind::Below(_, below) => Some(below.as_ref().is_some_and(|below| is_below(below, path))),
            Kind::Route(pattern) => Some(route == Some(pattern)),
            Kind::Function(name) => Some(is_function(path.as_str(), name)),
            Kind::Every(all) => decided(all.iter().map(|one| one.covers_path(path, route)), false),
            Kind::Any(any) => decided(any.iter().map(|one| one.covers_path(path, route)), true),
            Kind::Not(not) => not.covers_path(path, route).map(|covers| !covers),
            Kind::Method(_) | Kind::Host(_) | Kind::Header(..) | Kind::Cookie(..) | Kind::Query(..) => None,
        }
    }

    /// Whether a host decides, or a part of it.
    pub(crate) fn names_host(&self) -> bool {
        match &self.0 {
            Kind::Host(_) => true,
            Kind::Every(all) | Kind::Any(all) => all.iter().any(Match::names_host),
            Kind::Not(not) => not.names_host(),
            _ => false,
        }
    }

    /// The pattern or path that cannot be read, and why.
    pub(crate) fn problem(&self) -> Option<(String, String)> {
        match &self.0 {
            Kind::Path(text, None) => {
                let why = Pattern::parse(text).err().map(|error| error.to_string()).unwrap_or_default();
                Some((text.clone(), why))
            }
            Kind::Below(text, None) => {
                let why = CanonicalPath::parse(text).err().map(|error| error.to_string()).unwrap_or_default();
                Some((text.clone(), why))
            }
            Kind::Every(all) | Kind::Any(all) => all.iter().find_map(Match::problem),
            Kind::Not(not) => not.problem(),
            _ => None,
        }
    }
}

impl From<&str> for Match {
    fn from(pattern: &str) -> Self {
        Self::path(pattern)
    }
}

/// One `settles` settles it; else all must be known.
fn decided(parts: impl Iterator<Item = Option<bool>>, settles: bool) -> Option<bool> {
    let mut all = Some(!settles);
    for part in parts {
        match part {
            Some(known) if known == settles => return Some(settles),
            Some(_) => {}
            None => all = None,
        }
    }
    all
}

fn is_below(path: &CanonicalPath, asked: &CanonicalPath) -> bool {
    let mut segments = asked.segments();
    path.segments().all(|segment| segments.next() == Some(segment))
}

fn is_method(method: &str, asked: &Method) -> bool {
    asked.as_str() == method || (method == "GET" && asked == Method::HEAD)
}

pub(crate) fn is_host(host: &str, asked: &str) -> bool {
    let asked = match asked.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => asked,
    };
    // A name that ends with a dot is the same name (RFC 1034 §3.1).
    let asked = asked.strip_suffix('.').unwrap_or(asked);
    match host.strip_prefix("*.") {
        None => asked.eq_ignore_ascii_case(host),
        Some(base) => {
            let at = asked.len().saturating_sub(base.len());
            at > 1
                && asked.as_bytes().get(at - 1) == Some(&b'.')
                && asked.get(at..).is_some_and(|end| end.eq_ignore_ascii_case(base))
        }
    }
}

/// Whether a header's lines, joined as RFC 9110 §5.3 has it, hold `value` from one comma to another, or to an end.
fn has_value(headers: &Headers<'_>, name: &str, value: &[u8]) -> bool {
    let mut lines = headers.lines(name);
    let Some(first) = lines.next() else { return false };
    match lines.next() {
        None => lists(first, value),
        Some(second) => {
            let all: Vec<&[u8]> = [first, second].into_iter().chain(lines).collect();
            lists(&all.join(&b", "[..]), value)
        }
    }
}

fn lists(line: &[u8], value: &[u8]) -> bool {
    let ends = |rest: &[u8]| rest.trim_ascii_start().first().is_none_or(|byte| *byte == b',');
    let begins = |before: &[u8]| before.trim_ascii_end().last().is_none_or(|byte| *byte == b',');
    if value.is_empty() {
        return line.split(|byte| *byte == b',').any(|part| part.trim_ascii().is_empty());
    }
    let places = line.windows(value.len()).enumerate().filter(|(_, part)| *part == value).map(|(at, _)| at);
    places.into_iter().any(|at| {
        line.split_at_checked(at)
            .is_some_and(|(before, from)| begins(before) && from.get(value.len()..).is_some_and(ends))
    })
}

/// Server functions live at `/api/` and their name with digits behind it that tell equal names apart, or at an address of
/// their own, which is then the name.
pub(crate) fn is_function(path: &str, name: &str) -> bool {
    let Some(function) = path.strip_prefix("/api/") else { return path == name };
    function.strip_prefix(name).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
        || path == name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::RawHeader;

    #[test]
    fn a_value_is_found_alike_in_lines_and_in_the_list_that_a_worker_makes_of_them() {
        for (lines, value, found) in [
            (&["1"][..], "1", true),
            (&["2", "1"], "1", true),
            (&["2, 1"], "1", true),
            (&["2,1 ,3"], "1", true),
            (&["21"], "1", false),
            (&["2 1"], "1", false),
            (&["11", "12"], "1", false),
            (&["a, b", "c"], "a, b", true),
            (&["a", "b"], "a, b", true),
            (&[""], "", true),
            (&["1"], "", false),
            (&[], "1", false),
        ] {
            let joined = lines.join(", ");
            let one = [RawHeader { name: "x-a", value: joined.as_bytes() }];
            let several: Vec<_> =
                lines.iter().map(|line| RawHeader { name: "X-A", value: line.as_bytes() }).collect();
            let one = if lines.is_empty() { &[][..] } else { &one[..] };
            for raw in [one, &several] {
                assert_eq!(
                    has_value(&Headers::Raw(raw), "x-a", value.as_bytes()),
                    found,
                    "{lines:?} {value:?}"
                );
            }
        }
    }

    #[test]
    fn what_a_path_alone_decides_is_known_without_a_request() {
        let path = CanonicalPath::parse("/office/a").unwrap();
        let cookie = || Match::cookie("a");
        for (when, covers) in [
            (Match::all(), Some(true)),
            (Match::below("/office"), Some(true)),
            (Match::below("/off"), Some(false)),
            (Match::path("/office/:page"), Some(true)),
            (Match::route("/office/:page"), Some(true)),
            (Match::function("a"), Some(false)),
            (cookie(), None),
            (Match::below("/x").and(cookie()), Some(false)),
            (Match::below("/office").and(cookie()), None),
            (Match::any([Match::below("/office"), cookie()]), Some(true)),
            (Match::any([Match::below("/x"), cookie()]), None),
            (Match::not(Match::below("/office")), Some(false)),
            (Match::not(cookie()), None),
        ] {
            assert_eq!(when.covers_path(&path, Some("/office/:page")), covers, "{when:?}");
        }
    }
}
