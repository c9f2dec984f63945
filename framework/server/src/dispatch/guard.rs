//! Whom the server answers at all.

use crate::config::Config;
use http::{header, request::Parts};

/// Whether the request names a host that this server answers for: any in development; in production, those that are
/// configured, else that of the origin. A server that is reached by a loopback address answers to its other names too.
pub(crate) fn host_is_allowed(request: &Parts, config: &Config) -> bool {
    name_is_allowed(host_of(request), config)
}

/// The same, of the host that the request names, if any.
pub(crate) fn name_is_allowed(host: Option<&str>, config: &Config) -> bool {
    let allowed = match (&config.allowed_hosts, config.production) {
        (Some(hosts), _) => hosts.as_slice(),
        (None, false) => return true,
        (None, true) => &[],
    };
    let Some(host) = host else { return false };
    let origin = || config.origin.as_deref().and_then(|origin| origin.split("://").nth(1));
    match allowed {
        [] => origin().is_none_or(|own| own.eq_ignore_ascii_case(host) || both_loopback(own, host)),
        hosts => hosts
            .iter()
            .any(|known| known.eq_ignore_ascii_case(host) || known.eq_ignore_ascii_case(name_of(host))),
    }
}

/// The host that the request is for, as it is spelled: of an absolute target, else of the header (RFC 9112 §3.2.2).
pub(crate) fn host_of(request: &Parts) -> Option<&str> {
    let named = request.uri.authority().map(|authority| authority.as_str());
    let mut lines = request.headers.get_all(header::HOST).iter();
    named.or_else(|| lines.next().and_then(|host| host.to_str().ok()))
}

/// A host without its port.
pub(crate) fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

fn both_loopback(a: &str, b: &str) -> bool {
    const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
    let is_loopback = |host: &str| LOOPBACK.iter().any(|known| known.eq_ignore_ascii_case(name_of(host)));
    is_loopback(a) && is_loopback(b) && a.strip_prefix(name_of(a)) == b.strip_prefix(name_of(b))
}

/// Whether a request that may write was made by a page of this site, or by no browser at all.
///
/// `Sec-Fetch-Site` decides where it is sent (Fetch Metadata, §2.3): browsers set it, and no page can. Else `Origin`
/// must name the host that the request is for (RFC 6454 §7.3). A request with neither comes from no browser, and
/// carries no cookies of one.
pub(crate) fn is_same_site(request: &Parts, config: &Config) -> bool {
    let headers = &request.headers;
    let text = |name| headers.get(name).map(|value: &http::HeaderValue| value.to_str().unwrap_or("null"));
    if let Some(site) = text(http::HeaderName::from_static("sec-fetch-site")) {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN) else { return true };
    if config.origin.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let host = host_of(request);
    let named = origin.split("://").nth(1);
    named.is_some_and(|named| host.is_some_and(|host| host.eq_ignore_ascii_case(named)))
}

/// Whether a page of this very origin has sent the request, by what browsers say of it alone: what says nothing is none.
pub(crate) fn is_from_own_page(request: &Parts, config: &Config) -> bool {
    let named = |name: http::HeaderName| request.headers.contains_key(name);
    let says = named(http::HeaderName::from_static("sec-fetch-site")) || named(header::ORIGIN);
    let none = request.headers.get("sec-fetch-site").is_some_and(|site| site == "none");
    says && !none && is_same_site(request, config)
}

/// The path of `Referer`, where that is a page of this site: where a form without script came from.
pub(crate) fn referring_path(request: &Parts, config: &Config) -> Option<String> {
    let referrer: http::Uri = request.headers.get(header::REFERER)?.to_str().ok()?.parse().ok()?;
    let own_host = host_of(request);
    let authority = referrer.authority()?.as_str();
    let of_origin = config.origin.as_deref().and_then(|origin| origin.split("://").nth(1));
    let is_own = [own_host, of_origin].into_iter().flatten().any(|own| own.eq_ignore_ascii_case(authority));
    let path = referrer.path_and_query()?.as_str().to_owned();
    (is_own && super::reply::location(&path).is_some()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri("/api/x").header("host", "shop.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn writes_come_from_this_site_or_from_no_browser() {
        let cases: [(&[(&str, &str)], bool); 10] = [
            (&[], true),
            (&[("origin", "https://shop.example")], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://shop.example")], false),
            (&[("origin", "null")], false),
            (&[("origin", "https://shop.example.evil")], false),
            (&[("origin", "https://evil")], false),
        ];
        for (headers, allowed) in cases {
            assert_eq!(is_same_site(&request(headers), &Config::default()), allowed, "{headers:?}");
        }
    }

    #[test]
    fn a_server_in_production_answers_for_its_own_host_alone() {
        let mut config = Config { production: true, ..Config::default() };
        config.origin = Some("https://shop.example".into());
        assert!(host_is_allowed(&request(&[]), &config));
        config.origin = Some("https://other.example".into());
        assert!(!host_is_allowed(&request(&[]), &config));
        config.allowed_hosts = Some(vec!["shop.example".into()]);
        assert!(host_is_allowed(&request(&[]), &config));
        assert!(
            both_loopback("127.0.0.1:3000", "localhost:3000")
                && !both_loopback("127.0.0.1:3000", "localhost:4000")
        );
    }

    #[test]
    fn a_form_leads_back_to_a_page_of_this_site_only() {
        let back = |referrer| referring_path(&request(&[("referer", referrer)]), &Config::default());
        assert_eq!(back("https://shop.example/basket?a=1").as_deref(), Some("/basket?a=1"));
        assert_eq!(back("https://evil/basket"), None);
        assert_eq!(back("https://shop.example//evil"), None);
    }
}
