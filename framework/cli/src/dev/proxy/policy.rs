//! What a page's content security policy must let in, so that the client works in it.
//!
//! The client is loaded from this origin and follows an event stream of it. A page that is streamed has a nonce, which the client
//! is given; one that is stored names hashes, and those of the client are none of them. So where a policy does not let in what
//! comes from this origin, it does in development.

use http::{HeaderMap, HeaderValue, header};

const OWN: &str = "'self'";

/// What the client needs, with the directives that decide over it: the first that is there counts (CSP 3 §6.8.3).
const NEEDED: [&[&str]; 2] =
    [&["script-src-elem", "script-src", "default-src"], &["connect-src", "default-src"]];

/// Lets the client into each policy of a page. Policies that only report are left as they are.
pub(super) fn relax(headers: &mut HeaderMap) {
    let name = header::CONTENT_SECURITY_POLICY;
    if !headers.contains_key(&name) {
        return;
    }
    let relaxed = |value: &HeaderValue| {
        let text = value.to_str().ok()?;
        // Several may stand in one line (RFC 9110 §5.3).
        let each: Vec<_> = text.split(',').map(relaxed).collect();
        HeaderValue::try_from(each.join(", ")).ok()
    };
    let all: Vec<_> =
        headers.get_all(&name).iter().map(|value| relaxed(value).unwrap_or_else(|| value.clone())).collect();
    headers.remove(&name);
    for value in all {
        headers.append(&name, value);
    }
}

fn relaxed(policy: &str) -> String {
    let mut lists: Vec<String> =
        policy.split(';').map(str::trim).filter(|list| !list.is_empty()).map(str::to_owned).collect();
    for deciding in NEEDED {
        let found = deciding.iter().find_map(|name| {
            let at = lists.iter().position(|list| name_of(list).eq_ignore_ascii_case(name))?;
            Some((*name, at))
        });
        let (Some((name, at)), Some(first)) = (found, deciding.first()) else { continue };
        let Some(list) = lists.get_mut(at) else { continue };
        let sources: Vec<&str> = list.split_ascii_whitespace().skip(1).collect();
        if sources.iter().any(|source| *source == "*" || source.eq_ignore_ascii_case(OWN)) {
            continue;
        }
        let kept = sources.into_iter().filter(|source| !source.eq_ignore_ascii_case("'none'"));
        let sources = kept.chain([OWN]).collect::<Vec<_>>().join(" ");
        if name == "default-src" {
            // Nothing else is let in by it.
            lists.push(format!("{first} {sources}"));
        } else {
            *list = format!("{name} {sources}");
        }
    }
    lists.join("; ")
}

fn name_of(list: &str) -> &str {
    list.split_ascii_whitespace().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_lets_in_the_scripts_and_the_stream_of_the_dev_server_and_nothing_else() {
        for (policy, expected) in [
            ("object-src 'none'", "object-src 'none'"),
            ("default-src 'self'; img-src *", "default-src 'self'; img-src *"),
            ("script-src 'self' 'nonce-a'", "script-src 'self' 'nonce-a'"),
            ("script-src 'sha256-a='", "script-src 'sha256-a=' 'self'"),
            (
                "Script-Src 'none'; connect-src https://a.example;",
                "script-src 'self'; connect-src https://a.example 'self'",
            ),
            ("default-src 'none'", "default-src 'none'; script-src-elem 'self'; connect-src 'self'"),
            (
                "default-src https:; script-src 'nonce-a'",
                "default-src https:; script-src 'nonce-a' 'self'; connect-src https: 'self'",
            ),
            (
                "script-src 'self'; script-src-elem 'nonce-a', connect-src 'none'",
                "script-src 'self'; script-src-elem 'nonce-a' 'self', connect-src 'self'",
            ),
            ("connect-src *", "connect-src *"),
            ("", ""),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
            relax(&mut headers);
            assert_eq!(headers[header::CONTENT_SECURITY_POLICY], expected, "{policy}");
        }
    }

    #[test]
    fn each_of_several_policies_is_relaxed_and_one_that_only_reports_is_not() {
        let mut headers = HeaderMap::new();
        headers.append(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("connect-src 'none'"));
        headers.append(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("script-src 'none'"));
        let report = header::CONTENT_SECURITY_POLICY_REPORT_ONLY;
        headers.append(&report, HeaderValue::from_static("script-src 'none'"));
        relax(&mut headers);
        let all: Vec<_> = headers.get_all(header::CONTENT_SECURITY_POLICY).iter().collect();
        assert_eq!(all, ["connect-src 'self'", "script-src 'self'"]);
        assert_eq!(headers[report], "script-src 'none'");
        let mut none = HeaderMap::new();
        relax(&mut none);
        assert!(none.is_empty());
    }
}
