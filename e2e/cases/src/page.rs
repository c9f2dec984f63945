//! An answer, and what the fixture's markup says in it.

use crate::html;
use std::borrow::Cow;

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Page {
    /// The request that it answers, for messages.
    pub request: String,
    /// The status code.
    pub status: u16,
    /// The headers, in order, names as they came.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing, as encoded as it came.
    pub body: Vec<u8>,
}

impl Page {
    /// The body as text.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers_named(name).next()
    }

    /// All headers of that name.
    pub fn headers_named<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.headers
            .iter()
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// What `data-value` of `<main>` says.
    pub fn value(&self) -> Option<String> {
        html::attribute_of(&self.text(), "main", "data-value")
    }

    /// When the page was rendered: milliseconds since 1970 by the server's clock.
    pub fn rendered(&self) -> Option<u64> {
        html::attribute_of(&self.text(), "main", "data-rendered")?.parse().ok()
    }

    /// The path of a live page's event stream.
    pub fn live_url(&self) -> Option<String> {
        html::attribute_of(&self.text(), "main", "data-live")
    }

    /// The text of `<p id="ID">`.
    pub fn paragraph(&self, id: &str) -> Option<String> {
        html::text_of(&self.text(), "p", id)
    }

    /// What `Cache-Status` says.
    pub fn cache_status(&self) -> CacheStatus {
        CacheStatus::parse(self.header("cache-status").unwrap_or_default())
    }

    /// The value of a directive in `Cache-Control` or a header of the same form; `Some("")` for one without value.
    pub fn directive(&self, header: &str, directive: &str) -> Option<&str> {
        let parts = self
            .header(header)?
            .split(',')
            .map(|part| part.trim().split_once('=').unwrap_or((part.trim(), "")));
        parts.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(directive)).map(|(_, value)| value)
    }
}

/// `Cache-Status`, with its only number taken apart from its form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheStatus {
    /// The header with `N` in place of the number behind `ttl=`.
    pub form: String,
    /// The number of seconds for which the entry is fresh; negative when stale.
    pub ttl: Option<i64>,
}

impl CacheStatus {
    /// Reads the header's value.
    pub fn parse(text: &str) -> Self {
        let Some((before, number)) = text.split_once("ttl=") else {
            return Self { form: text.to_owned(), ttl: None };
        };
        let end = number.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(number.len());
        let (number, after) = number.split_at(end);
        Self { form: format!("{before}ttl=N{after}"), ttl: number.parse().ok() }
    }

    /// Whether it says that the shared store could not be asked.
    pub fn is_degraded(&self) -> bool {
        self.form.split(';').any(|part| part.trim() == "detail=degraded")
    }

    /// Whether it says that a stored entry was served.
    pub fn is_hit(&self) -> bool {
        self.form.split(';').any(|part| part.trim() == "hit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(html: &str) -> Page {
        let headers =
            [("cache-status", "tropos; hit; ttl=-3; detail=stale"), ("Cache-Control", "public, s-maxage=2")];
        Page {
            request: "GET /".into(),
            status: 200,
            headers: headers.map(|(name, value)| (name.into(), value.into())).to_vec(),
            body: html.into(),
        }
    }

    #[test]
    fn a_page_tells_value_time_and_stream() {
        let page = page(
            r#"<main data-value="a&amp;b" data-rendered="17" data-live="/l?x=1&amp;y=2"><p id="value">a&amp;b</p>"#,
        );
        assert_eq!(page.value().as_deref(), Some("a&b"));
        assert_eq!(page.rendered(), Some(17));
        assert_eq!(page.live_url().as_deref(), Some("/l?x=1&y=2"));
        assert_eq!(page.paragraph("value").as_deref(), Some("a&b"));
    }

    #[test]
    fn cache_status_is_a_form_and_a_number() {
        let status = page("").cache_status();
        assert_eq!((status.form.as_str(), status.ttl), ("tropos; hit; ttl=N; detail=stale", Some(-3)));
        assert!(status.is_hit());
        assert!(!CacheStatus::parse("tropos; fwd=uri-miss; stored").is_hit());
        assert!(!status.is_degraded());
        assert!(CacheStatus::parse("tropos; hit; ttl=9; detail=degraded").is_degraded());
    }

    #[test]
    fn directives_are_found_by_name() {
        assert_eq!(page("").directive("cache-control", "s-maxage"), Some("2"));
        assert_eq!(page("").directive("cache-control", "Public"), Some(""));
        assert_eq!(page("").directive("cache-control", "max-age"), None);
    }
}
