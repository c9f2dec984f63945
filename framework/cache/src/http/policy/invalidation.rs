//! What a request with an unsafe method makes unusable (RFC 9111 §4.4).

use super::Asked;
use ::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

/// The targets whose stored answers are to go, the request's own first; none where the request failed.
///
/// Those that `Location` and `Content-Location` name are among them only where they are of the same host and port: who
/// may write to one origin shall not empty the cache of another. The scheme is not looked at, since a cache behind
/// something that ends TLS does not see it.
pub fn affected(asked: &Asked, status: StatusCode, response: &HeaderMap) -> Vec<Asked> {
    // §4.4: a "non-error" status: 2xx or 3xx.
    if !(status.is_success() || status.is_redirection()) {
        return Vec::new();
    }
    let mut targets = vec![asked.clone()];
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        for value in response.get_all(name) {
            if let Some(target) = resolve(asked, value)
                && target != asked.target
            {
                targets.push(asked.with_target(target));
            }
        }
    }
    targets
}

/// The path and query that a reference means (RFC 3986 §5.2.2); `None` for another host, and for what is none.
fn resolve(asked: &Asked, reference: &HeaderValue) -> Option<String> {
    let reference = reference.to_str().ok()?;
    let reference = reference.split('#').next().unwrap_or_default();
    if has_scheme(reference) || reference.starts_with("//") {
        let reference =
            if has_scheme(reference) { reference.to_owned() } else { format!("http:{reference}") };
        let uri: Uri = reference.parse().ok()?;
        let same = uri.authority()?.as_str().eq_ignore_ascii_case(&asked.authority);
        return same.then(|| uri.path_and_query().map_or("/", |target| target.as_str()).to_owned());
    }
    let (base, base_query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    };
    let path = match path {
        "" => base.to_owned(),
        path if path.starts_with('/') => without_dots(path),
        path => without_dots(&format!("{}/{path}", base.rsplit_once('/').map_or("", |(folder, _)| folder))),
    };
    let query = query.or_else(|| (reference.is_empty() && !base_query.is_empty()).then_some(base_query));
    Some(query.map_or_else(|| path.clone(), |query| format!("{path}?{query}")))
}

/// RFC 3986 §3.1.
fn has_scheme(reference: &str) -> bool {
    reference.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    })
}

/// RFC 3986 §5.2.4.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn affected_by(status: u16, location: &'static str) -> Vec<String> {
        let asked = Asked { authority: "example.test:80".into(), target: "/a/b?q=1".into() };
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_static(location));
        let status = StatusCode::from_u16(status).unwrap();
        affected(&asked, status, &headers).into_iter().map(|asked| asked.target).collect()
    }

    #[test]
    fn a_success_affects_what_it_names_on_the_same_origin() {
        for (location, expected) in [
            ("/c", &["/a/b?q=1", "/c"][..]),
            ("c", &["/a/b?q=1", "/a/c"]),
            ("c?x=1#y", &["/a/b?q=1", "/a/c?x=1"]),
            ("../c/./d", &["/a/b?q=1", "/c/d"]),
            ("../../../c/..", &["/a/b?q=1", "/"]),
            ("?q=2", &["/a/b?q=1", "/a/b?q=2"]),
            ("", &["/a/b?q=1"]),
            ("b?q=1", &["/a/b?q=1"]),
            ("http://Example.test:80/c", &["/a/b?q=1", "/c"]),
            ("//example.test:80/c", &["/a/b?q=1", "/c"]),
            ("http://example.test:81/c", &["/a/b?q=1"]),
            ("https://other.test/c", &["/a/b?q=1"]),
            ("mailto:x", &["/a/b?q=1"]),
        ] {
            assert_eq!(affected_by(201, location), expected, "{location}");
        }
        assert_eq!(affected_by(303, "/c").len(), 2);
        assert!(affected_by(404, "/c").is_empty());
        assert!(affected_by(500, "/c").is_empty());
    }
}
