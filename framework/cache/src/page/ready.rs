//! Heads that are made once for each page and encoding.

use super::StoredPage;
use crate::http::{
    CACHE_STATUS, CacheStatus, Coding, Facts, Lifetime, lifetime::make_private, respond, wire, wire::Names,
};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use bytes::Bytes;
use tropos_core::Mode;

/// The heads of a page's whole answers, but for what differs from one to the next.
#[derive(Debug, Clone)]
pub(super) struct Heads {
    mode: Mode,
    lifetime: Lifetime,
    /// In the order of [`Coding::ALL`]: the bytes, and where in them begins what caches outside are told.
    each: [(Box<[u8]>, usize); 4],
    /// What caches outside are told where one visitor alone may have the answer.
    private: Box<[u8]>,
    names: Names,
}

impl Heads {
    fn of(page: &StoredPage, mode: Mode, lifetime: Lifetime) -> Self {
        let answers = Coding::ALL.map(|coding| answer(page, coding, mode, lifetime));
        let mut private = answers.first().map(|answer| answer.headers().clone()).unwrap_or_default();
        make_private(&mut private);
        let mut line = Vec::new();
        wire::caching(&mut line, &private);
        // Those that are added to it too.
        let of_each = answers.iter().flat_map(|answer| answer.headers().keys().cloned());
        let names = of_each.chain([header::AGE, CACHE_STATUS]).collect();
        Self { mode, lifetime, each: answers.map(|answer| head(&answer)), private: line.into(), names }
    }
}

/// What [`respond`] answers to a `GET` that accepts this coding alone.
fn answer(page: &StoredPage, coding: Coding, mode: Mode, lifetime: Lifetime) -> Response<Bytes> {
    let accepts =
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(coding.as_str()))]);
    let facts = Facts { mode, age_seconds: None, lifetime, cache_status: CacheStatus::hit(0) };
    respond(&Method::GET, &accepts, page, facts)
}

fn head(answer: &Response<Bytes>) -> (Box<[u8]>, usize) {
    let mut out = Vec::with_capacity(512);
    wire::lasting_head(&mut out, answer.status(), answer.headers());
    let caching = out.len();
    wire::caching(&mut out, answer.headers());
    (out.into_boxed_slice(), caching)
}

/// A head that is ready: status line and headers as bytes of HTTP/1.1; without `Age` and `Cache-Status`, which
/// [`wire::facts`] adds, and without the empty line.
#[derive(Debug, Clone, Copy)]
pub struct ReadyHead<'p> {
    whole: &'p [u8],
    caching: usize,
    private: &'p [u8],
    names: &'p Names,
}

impl<'p> ReadyHead<'p> {
    /// As everybody may have it.
    pub fn public(self) -> &'p [u8] {
        self.whole
    }

    /// As one visitor alone may have it, in two parts ([`make_private`]).
    pub fn private(self) -> [&'p [u8]; 2] {
        [self.whole.get(..self.caching).unwrap_or_default(), self.private]
    }

    /// Whether a header of this name is in it, or in what is added to it.
    pub fn has(self, name: &HeaderName) -> bool {
        self.names.has(name)
    }
}

impl StoredPage {
    /// The head of the whole answer in this encoding.
    ///
    /// Made at first use, for all encodings at once. `None` for another status than 200, and where it was made for
    /// another mode or lifetime: then [`respond()`] answers.
    pub fn ready_head(&self, coding: Coding, mode: Mode, lifetime: Lifetime) -> Option<ReadyHead<'_>> {
        if self.status != StatusCode::OK {
            return None;
        }
        let heads = self.heads.get_or_init(|| Box::new(Heads::of(self, mode, lifetime)));
        let known = (heads.mode, heads.lifetime) == (mode, lifetime);
        let at = Coding::ALL.iter().position(|known| *known == coding)?;
        let (whole, caching) = heads.each.get(at).filter(|_| known)?;
        Some(ReadyHead { whole, caching: *caching, private: &heads.private, names: &heads.names })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
                let head = page.ready_head(coding, mode, lifetime).unwrap();
                let mut ready = head.public().to_vec();
                wire::facts(&mut ready, age_seconds, cache_status);
                let mut private = head.private().concat();
                wire::facts(&mut private, age_seconds, cache_status);

                let accepts = HeaderValue::from_static(coding.as_str());
                let accepts = HeaderMap::from_iter([(header::ACCEPT_ENCODING, accepts)]);
                let facts = Facts { mode, age_seconds, lifetime, cache_status };
                let mut answer = respond(&Method::GET, &accepts, &page, facts);
                let mut whole = Vec::new();
                wire::head(&mut whole, answer.status(), answer.headers());
                let sorted = |bytes: &[u8]| {
                    let mut lines: Vec<_> =
                        String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
                    lines.sort();
                    lines
                };
                assert_eq!(sorted(&ready), sorted(&whole), "{mode} {coding:?}");
                assert!(answer.headers().keys().all(|name| head.has(name)) && !head.has(&header::SERVER));
                make_private(answer.headers_mut());
                whole.clear();
                wire::head(&mut whole, answer.status(), answer.headers());
                assert_eq!(sorted(&private), sorted(&whole), "{mode} {coding:?}, private");
            }
            assert!(page.ready_head(Coding::Gzip, mode, Lifetime::Private).is_none(), "another lifetime");
        }
    }

    #[test]
    fn only_a_whole_page_is_ready() {
        let page = StoredPage::new(StatusCode::NOT_FOUND, vec![], Bytes::new());
        assert!(page.ready_head(Coding::Identity, Mode::Isr, Lifetime::Nobody).is_none());
    }
}
