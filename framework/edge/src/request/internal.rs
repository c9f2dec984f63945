//! Headers by which a framework or proxy speaks to itself. A client that sends one wants to be taken for it.
//!
//! They are taken out of each request before anything reads it, those of other frameworks too: an application that is
//! moved here, or a service behind it, may still believe them.

use http::HeaderMap;

/// Names that begin so are internal.
const PREFIXES: [&str; 6] =
    ["x-tropos-", "x-middleware-", "x-nextjs-", "x-invoke-", "x-vercel-internal-", "x-sveltekit-"];

/// Names that are internal.
const NAMES: [&str; 8] = [
    "x-matched-path",
    "x-now-route-matches",
    "x-rewrite-url",
    "x-original-url",
    "x-original-uri",
    "x-original-method",
    "x-http-method-override",
    "next-resume",
];

/// Whether a header is one that clients may not set. `name` is compared without regard to case.
///
/// ```
/// use tropos_edge::request::internal::is_internal;
/// assert!(is_internal("X-Middleware-Subrequest") && is_internal("x-tropos-edge") && !is_internal("x-echo"));
/// ```
pub fn is_internal(name: &str) -> bool {
    // All names of both tables begin with one of these, and most headers with neither: every header of every request is asked.
    if !matches!(name.as_bytes().first(), Some(b'x' | b'X' | b'n' | b'N')) {
        return false;
    }
    let begins =
        |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    PREFIXES.iter().any(|prefix| begins(prefix)) || NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Takes internal headers out. Allocates nothing where there are none.
pub fn strip(headers: &mut HeaderMap) {
    if !headers.keys().any(|name| is_internal(name.as_str())) {
        return;
    }
    let internal: Vec<_> = headers.keys().filter(|name| is_internal(name.as_str())).cloned().collect();
    for name in internal {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_tables_is_found_whatever_its_case() {
        for name in PREFIXES.iter().map(|prefix| format!("{prefix}a")).chain(NAMES.map(str::to_owned)) {
            assert!(is_internal(&name) && is_internal(&name.to_ascii_uppercase()), "{name}");
        }
        for name in ["x-echo", "cookie", "", "é", "next"] {
            assert!(!is_internal(name), "{name}");
        }
    }
}
