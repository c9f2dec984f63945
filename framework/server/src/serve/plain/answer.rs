//! The answer as bytes.

use super::head::Asked;
use crate::{dispatch::guard, site::Site};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::Instant;
use tropos_cache::{
    StoredPage,
    http::{Facts, coding::negotiate_bytes, respond, wire},
};
use tropos_core::UnixMillis;

/// As on every answer (see `Site::handle`).
const NO_SNIFF: &[u8] = b"x-content-type-options: nosniff\r\n";

/// What decides over an answer from a stored page, besides its target.
const DECIDING: [HeaderName; 7] = [
    header::ACCEPT_ENCODING,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::RANGE,
];

/// The current date as a header line. Made once a second: it has no finer grain (RFC 9110 §5.6.7).
#[derive(Debug, Default)]
pub(super) struct DateLine {
    second: u64,
    line: Vec<u8>,
}

impl DateLine {
    fn at(&mut self, now: UnixMillis) -> &[u8] {
        let second = now / 1000;
        if second != self.second || self.line.is_empty() {
            self.second = second;
            let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
            self.line.clear();
            self.line.extend_from_slice(format!("date: {date}\r\n").as_bytes());
        }
        &self.line
    }
}

/// Where an answer is put together; kept from one to the next.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) head: Vec<u8>,
    date: DateLine,
}

impl Site {
    /// Puts the head of the answer on the desk, and hands it over with the body, if the answer is a hit. `closing`: it is
    /// the connection's last.
    ///
    /// Where conditions or a range are asked for, the answer is put together by [`respond`], else of what is ready.
    pub(super) fn answer_plainly<R>(
        &self,
        asked: &Asked<'_, '_>,
        closing: bool,
        desk: &mut Desk,
        send: impl FnOnce(&[u8], &Bytes) -> R,
    ) -> Option<R> {
        if !guard::name_is_allowed(Some(asked.host), &self.config) {
            return None;
        }
        let began = Instant::now();
        self.ready(asked.target, |page, facts, hit| {
            desk.head.clear();
            let nothing = Bytes::new();
            let coding = negotiate_bytes(asked.all("accept-encoding"), page.codings());
            match page.ready_head(coding, facts.mode, facts.lifetime).filter(|_| !asked.has_conditions) {
                Some(ready) => {
                    desk.head.extend_from_slice(ready);
                    wire::facts(&mut desk.head, facts.age_seconds, facts.cache_status);
                    self.end(desk, closing);
                    let body = if asked.without_body { &nothing } else { &page.body(coding).bytes };
                    let sent = send(&desk.head, body);
                    hit.answered(asked.without_body, page.status(), began.elapsed());
                    Some(sent)
                }
                None => {
                    let answer = weigh(asked, page, facts)?;
                    wire::head(&mut desk.head, answer.status(), answer.headers());
                    self.end(desk, closing);
                    let sent = send(&desk.head, answer.body());
                    hit.answered(asked.without_body, answer.status(), began.elapsed());
                    Some(sent)
                }
            }
        })
    }

    fn end(&self, desk: &mut Desk, closing: bool) {
        let Desk { head, date } = desk;
        head.extend_from_slice(NO_SNIFF);
        self.end_of_head(head, date, closing);
    }

    /// Adds what concerns the connection, the date, and the empty line.
    pub(super) fn end_of_head(&self, head: &mut Vec<u8>, date: &mut DateLine, closing: bool) {
        if closing {
            head.extend_from_slice(b"connection: close\r\n");
        }
        head.extend_from_slice(date.at(self.engine.clock().wall()));
        head.extend_from_slice(b"\r\n");
    }
}

/// The answer as [`respond`] gives it. `None` for header values that hyper would refuse.
fn weigh(asked: &Asked<'_, '_>, page: &StoredPage, facts: Facts) -> Option<http::Response<Bytes>> {
    let mut headers = HeaderMap::new();
    for name in DECIDING {
        let values = asked.headers.iter().filter(|header| name.as_str().eq_ignore_ascii_case(header.name));
        for header in values {
            headers.append(name.clone(), HeaderValue::from_bytes(header.value).ok()?);
        }
    }
    let method = if asked.without_body { Method::HEAD } else { Method::GET };
    Some(respond(&method, &headers, page, facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_made_anew_each_second() {
        let mut date = DateLine::default();
        assert_eq!(date.at(0), b"date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
        assert_eq!(date.at(1_999), b"date: Thu, 01 Jan 1970 00:00:01 GMT\r\n");
    }
}
