//! Where a rule leads, with places for the parameters of its pattern.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tropos_core::{CanonicalPath, Params, Pattern, path::encode, pattern::Segment};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The parameter of this name, as segments of a path.
    Path(String),
    /// The parameter of this name, as a value of a query.
    Query(String),
}

/// An address taken apart: `https://host`, path, and query with fragment.
pub(super) fn split(address: &str) -> (&str, &str, &str) {
    let origin = match address.split_once("://") {
        Some((scheme, rest)) => scheme.len() + 3 + rest.find(['/', '?', '#']).unwrap_or(rest.len()),
        None => 0,
    };
    let (origin, rest) = address.split_at(origin);
    let (path, tail) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    (origin, path, tail)
}

impl Target {
    /// Reads a target. `from` has the parameters that may stand in it.
    ///
    /// # Errors
    /// What is wrong with it, to be put behind the rule's label.
    pub(super) fn parse(to: &str, from: &Pattern) -> Result<Self, String> {
        let (origin, path, tail) = split(to);
        let known = |name: &str| match from.names().any(|known| known == name) {
            true => Ok(name.to_owned()),
            false => Err(format!("uses `{name}` in `{to}`, which is no parameter of it")),
        };
        let mut parts = vec![Part::Text(origin.to_owned())];
        if !path.is_empty() && !path.starts_with('/') {
            return Err(format!(
                "leads to `{to}`: write a path that begins with `/`, or an `https://` address"
            ));
        }
        for segment in path.split('/').skip(1) {
            parts.push(Part::Text("/".to_owned()));
            parts.push(match segment.strip_prefix([':', '*']) {
                Some(name) => Part::Path(known(name)?),
                None => Part::Text(segment.to_owned()),
            });
        }
        let (query, fragment) = tail.split_at(tail.find('#').unwrap_or(tail.len()));
        for (at, pair) in query.split('&').enumerate() {
            parts.push(Part::Text(if at == 0 { String::new() } else { "&".to_owned() }));
            match pair.split_once("=:") {
                Some((key, name)) => {
                    parts.push(Part::Text(format!("{key}=")));
                    parts.push(Part::Query(known(name)?));
                }
                None => parts.push(Part::Text(pair.to_owned())),
            }
        }
        parts.push(Part::Text(fragment.to_owned()));
        let target = Self { parts };
        let sample = target.sample(from);
        let (_, path, _) = split(&sample);
        let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
        let clean = path.is_empty() && !origin.is_empty()
            || CanonicalPath::parse(path).is_ok_and(|of| of.as_str() == path);
        match crate::decision::is_location(&sample) && clean {
            true => Ok(target),
            false => Err(format!(
                "leads to `{to}`: write a path that begins with one `/`, encoded as browsers do, or an `https://` address"
            )),
        }
    }

    /// The address for these parameters.
    pub(super) fn fill(&self, params: &Params) -> String {
        self.with(|name| params.get(name).unwrap_or_default().to_owned())
    }

    /// The address with marks in place of the parameters.
    pub(super) fn sample(&self, from: &Pattern) -> String {
        self.with(|name| from.names().position(|known| known == name).map(mark).unwrap_or_default())
    }

    fn with(&self, value: impl Fn(&str) -> String) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Path(name) => {
                    let value = value(name);
                    let segments: Vec<String> = value.split('/').map(|one| encode(one).collect()).collect();
                    out.push_str(&segments.join("/"));
                }
                Part::Query(name) => out.extend(utf8_percent_encode(&value(name), NON_ALPHANUMERIC)),
            }
        }
        out
    }
}

/// What stands for a parameter in a sample: letters and digits, which no encoding changes.
fn mark(at: usize) -> String {
    format!("troposparameter{at}x")
}

/// A sample as the text of a target again.
pub(super) fn unmark(sample: &str, from: &Pattern) -> String {
    let params = from.segments().iter().filter_map(|segment| match segment {
        Segment::Static(_) => None,
        Segment::Param(name) => Some((":", name)),
        Segment::CatchAll(name) => Some(("*", name)),
    });
    params.enumerate().fold(sample.to_owned(), |text, (at, (sign, name))| {
        text.replace(&format!("={}", mark(at)), &format!("=:{name}"))
            .replace(&mark(at), &format!("{sign}{name}"))
    })
}
