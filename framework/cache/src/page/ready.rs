//! Heads that are made once for each page and encoding.

use super::StoredPage;
use crate::http::{CacheStatus, Coding, Facts, Lifetime, respond, wire};
use ::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tropos_core::Mode;

/// The heads of a page's whole answers, but for what differs from one to the next.
#[derive(Debug, Clone)]
pub(super) struct Heads {
    mode: Mode,
    lifetime: Lifetime,
    /// In the order of [`Coding::ALL`].
    each: [Box<[u8]>; 4],
}

impl Heads {
    fn of(page: &StoredPage, mode: Mode, lifetime: Lifetime) -> Self {
        Self { mode, lifetime, each: Coding::ALL.map(|coding| head(page, coding, mode, lifetime)) }
    }
}

/// What [`respond`] answers to a `GET` that accepts this coding alone.
fn head(page: &StoredPage, coding: Coding, mode: Mode, lifetime: Lifetime) -> Box<[u8]> {
    let accepts =
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(coding.as_str()))]);
    let facts = Facts { mode, age_seconds: None, lifetime, cache_status: CacheStatus::hit(0) };
    let answer = respond(&Method::GET, &accepts, page, facts);
    let mut out = Vec::with_capacity(512);
    wire::lasting_head(&mut out, answer.status(), answer.headers());
    out.into_boxed_slice()
}

impl StoredPage {
    /// Status line and headers of the whole answer in this encoding, as bytes of HTTP/1.1; without `Age` and
    /// `Cache-Status`, which [`wire::facts`] adds, and without the empty line.
    ///
    /// Made at first use, for all encodings at once. `None` for another status than 200, and where it was made for
    /// another mode or lifetime: then [`respond()`] answers.
    pub fn ready_head(&self, coding: Coding, mode: Mode, lifetime: Lifetime) -> Option<&[u8]> {
        if self.status != StatusCode::OK {
            return None;
        }
        let heads = self.heads.get_or_init(|| Box::new(Heads::of(self, mode, lifetime)));
        let known = (heads.mode, heads.lifetime) == (mode, lifetime);
        let at = Coding::ALL.iter().position(|known| *known == coding)?;
        heads.each.get(at).filter(|_| known).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::HeaderName;
    use bytes::Bytes;
    use std::time::Duration;

    #[test]
    fn a_ready_head_says_what_respond_says() {
        let headers = vec![
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (header::VARY, HeaderValue::from_static("x-a")),
            (HeaderName::from_static("x-own"), HeaderValue::from_static("1")),
        ];
        let minute = Some(Duration::from_secs(60));
        for mode in [Mode::Isr, Mode::Ssg] {
            let lifetime = Lifetime::of(mode, minute, None, None);
            let page = StoredPage::new(StatusCode::OK, headers.clone(), Bytes::from("<p>a</p>".repeat(99)));
            let page = page.compress();
            for coding in Coding::ALL {
                let age_seconds = (mode == Mode::Isr).then_some(7);
                let cache_status = CacheStatus::hit(53);
                let mut ready = page.ready_head(coding, mode, lifetime).unwrap().to_vec();
                wire::facts(&mut ready, age_seconds, cache_status);

                let accepts = HeaderValue::from_static(coding.as_str());
                let accepts = HeaderMap::from_iter([(header::ACCEPT_ENCODING, accepts)]);
                let facts = Facts { mode, age_seconds, lifetime, cache_status };
                let answer = respond(&Method::GET, &accepts, &page, facts);
                let mut whole = Vec::new();
                wire::head(&mut whole, answer.status(), answer.headers());
                let sorted = |bytes: &[u8]| {
                    let mut lines: Vec<_> =
                        String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
                    lines.sort();
                    lines
                };
                assert_eq!(sorted(&ready), sorted(&whole), "{mode} {coding:?}");
            }
            assert_eq!(page.ready_head(Coding::Gzip, mode, Lifetime::Private), None, "another lifetime");
        }
    }

    #[test]
    fn only_a_whole_page_is_ready() {
        let page = StoredPage::new(StatusCode::NOT_FOUND, vec![], Bytes::new());
        assert_eq!(page.ready_head(Coding::Identity, Mode::Isr, Lifetime::Nobody), None);
    }
}
