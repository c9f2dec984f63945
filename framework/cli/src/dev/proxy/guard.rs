//! Whom the dev server's own addresses answer: they open files and invalidate, so no page of another site may ask.

use http::{HeaderMap, HeaderName, header};
use std::net::IpAddr;

/// Whether a request to `/_tropos/dev/` comes from a page of this server, or from no browser.
///
/// `Host` must be a name that only this machine can have, or an address: a foreign name that resolves to the machine (DNS
/// rebinding) is refused. `Origin` must be that host, and `Sec-Fetch-Site` say that the page is of it.
pub(crate) fn is_own(headers: &HeaderMap, allowed: &[String]) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let Some(host) = text(header::HOST) else { return false };
    if !is_own_host(host, allowed) {
        return false;
    }
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site"))
        && !matches!(site, "same-origin" | "none")
    {
        return false;
    }
    text(header::ORIGIN).is_none_or(|origin| {
        origin.split_once("://").is_some_and(|(scheme, named)| {
            matches!(scheme, "http" | "https") && named.eq_ignore_ascii_case(host)
        })
    })
}

/// Whether a request names the server as its own pages do: by a name that only this machine can have, an address, or a name
/// that is allowed. A page whose name was made to resolve to this machine (DNS rebinding) would else read the application
/// that is being developed. Who names no host is no browser.
pub(crate) fn is_for_this(headers: &HeaderMap, allowed: &[String]) -> bool {
    headers.get(header::HOST).is_none_or(|host| host.to_str().is_ok_and(|host| is_own_host(host, allowed)))
}

/// Whether a request comes from this machine: what reads its records, opens its files and changes its cache is for who
/// develops. A proxy on this machine, such as a tunnel's, says for whom it asks.
pub(crate) fn is_of_this_machine(peer: IpAddr, headers: &HeaderMap) -> bool {
    let is_handed_on = [header::FORWARDED, HeaderName::from_static("x-forwarded-for")];
    peer.to_canonical().is_loopback() && !is_handed_on.iter().any(|name| headers.contains_key(name))
}

fn is_own_host(host: &str, allowed: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.to_ascii_lowercase();
    let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    name == "localhost"
        || name.ends_with(".localhost")
        || is_address
        || allowed.iter().any(|known| known.eq_ignore_ascii_case(&name) || known.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_another_site_may_not_ask() {
        let allowed = ["shop.test".to_owned()];
        let cases: [(&[(&str, &str)], bool); 13] = [
            (&[("host", "localhost:3000")], true),
            (&[("host", "127.0.0.1:3000"), ("origin", "http://127.0.0.1:3000")], true),
            (&[("host", "[::1]:3000")], true),
            (&[("host", "192.168.1.7:3000")], true),
            (&[("host", "a.localhost")], true),
            (&[("host", "shop.test:3000")], true),
            (&[("host", "localhost:3000"), ("sec-fetch-site", "same-origin")], true),
            (&[], false),
            (&[("host", "rebound.example:3000")], false),
            (&[("host", "localhost:3000"), ("origin", "http://localhost:4000")], false),
            (&[("host", "localhost:3000"), ("origin", "null")], false),
            (&[("host", "localhost:3000"), ("sec-fetch-site", "cross-site")], false),
            (&[("host", "localhost:3000"), ("sec-fetch-site", "same-site")], false),
        ];
        for (lines, expected) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.insert(HeaderName::from_static(name), value.parse().unwrap());
            }
            assert_eq!(is_own(&headers, &allowed), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_name_that_was_made_to_resolve_to_this_machine_is_no_name_of_it() {
        for (host, expected) in [
            ("localhost:3000", true),
            ("192.168.1.7:3000", true),
            ("shop.test:3000", true),
            ("rebound.example:3000", false),
            ("localhost.example", false),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            assert_eq!(is_for_this(&headers, &["shop.test".to_owned()]), expected, "{host}");
        }
        assert!(is_for_this(&HeaderMap::new(), &[]));
    }

    #[test]
    fn another_machine_is_none_also_behind_a_proxy_on_this_one() {
        let direct = HeaderMap::new();
        let handed = HeaderMap::from_iter([(
            HeaderName::from_static("x-forwarded-for"),
            "203.0.113.7".parse().unwrap(),
        )]);
        for (peer, headers, expected) in [
            ("127.0.0.1", &direct, true),
            ("::1", &direct, true),
            ("::ffff:127.0.0.1", &direct, true),
            ("192.168.1.7", &direct, false),
            ("127.0.0.1", &handed, false),
        ] {
            assert_eq!(is_of_this_machine(peer.parse().unwrap(), headers), expected, "{peer}");
        }
    }
}
