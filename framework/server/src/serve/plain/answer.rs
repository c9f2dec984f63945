//! The answer as bytes.

use super::{ask, head::Asked};
use crate::{
    dispatch::{
        guard,
        ready::{Gate, Known},
    },
    edge::{self, Peer, Ran},
    meter::Hit,
    site::Site,
    traces::{AskedHit, By},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::Instant;
use tropos_cache::{
    StoredPage,
    http::{Facts, coding::negotiate_bytes, respond, wire},
};
use tropos_core::UnixMillis;
use tropos_edge::run::{Answer, Outcome, Passed};

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
    /// When the answer was begun.
    began: Option<Instant>,
}

impl Desk {
    fn took(&self) -> Duration {
        self.began.map(|began| began.elapsed()).unwrap_or_default()
    }
}

/// What becomes of a plain request.
pub(super) enum Answered<R> {
    /// It was answered.
    Sent(R),
    /// It is to be asked for: with what hooks made of it, where they ran.
    Ask(Option<Ran>),
    /// It is for hyper.
    Leave,
}

impl Site {
    /// Puts the head of the answer on the desk, and hands it over with the body, if the answer is a hit or one of a hook.
    /// `closing`: it is the connection's last.
    ///
    /// Where conditions or a range are asked for, the answer is put together by [`respond`], else of what is ready.
    pub(super) fn answer_plainly<R>(
        &self,
        asked: &Asked<'_, '_>,
        peer: Peer,
        closing: bool,
        desk: &mut Desk,
        send: impl FnOnce(&[u8], &Bytes) -> R,
    ) -> Answered<R> {
        let allowed = guard::name_is_allowed(Some(asked.host), &self.config);
        desk.began = Some(Instant::now());
        let answered = self.known(asked.target, |known| {
            Some(match &known.gate {
                _ if !allowed => Answered::Ask(None),
                None => {
                    let put = |page: &_, facts, hit: Hit<'_>| {
                        self.put(asked, page, facts, hit, None, closing, desk, send)
                    };
                    self.hit(known, put).map_or(Answered::Ask(None), Answered::Sent)
                }
                Some(gate) => self.answer_behind_hooks(known, gate, asked, peer, closing, desk, send),
            })
        });
        answered.unwrap_or(Answered::Leave)
    }

    #[allow(clippy::too_many_arguments, reason = "the last four are those of the one caller")]
    fn answer_behind_hooks<R>(
        &self,
        known: &Known,
        gate: &Gate,
        asked: &Asked<'_, '_>,
        peer: Peer,
        closing: bool,
        desk: &mut Desk,
        send: impl FnOnce(&[u8], &Bytes) -> R,
    ) -> Answered<R> {
        let Asked { without_body, host, target, headers, .. } = *asked;
        let passed = match self.hooks_now(gate, &edge::Read { without_body, host, target, headers, peer }) {
            None => return Answered::Leave,
            Some(Outcome::Answer(answer)) => {
                return self.put_answer(asked, answer, closing, desk, send);
            }
            Some(Outcome::Pass(passed)) => passed,
        };
        if edge::touches_connection(&passed.response) {
            return Answered::Leave;
        }
        let put = |page: &_, facts, hit: Hit<'_>| {
            self.put(asked, page, facts, hit, Some(&passed), closing, desk, send)
        };
        let Some(path) = &passed.path else {
            let sent = match edge::touches_request(&passed) {
                true => None,
                false => self.hit_of(known, &passed.variants, put),
            };
            return match sent {
                Some(sent) => {
                    passed.events.iter().for_each(edge::told);
                    Answered::Sent(sent)
                }
                None => Answered::Ask(Some(Ran::new(Outcome::Pass(passed)))),
            };
        };
        if edge::touches_request(&passed) {
            return Answered::Leave;
        }
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let target = edge::target_of(path, passed.query.as_deref().unwrap_or(query));
        let mut is_stored = false;
        let sent = self.known(&target, |known| {
            is_stored = true;
            // What hooks chose counts also where none is for the new path, which is not known of such a target.
            let chosen = known.gate.is_some() || passed.variants.is_empty();
            if chosen { self.hit_of(known, &passed.variants, put) } else { None }
        });
        match sent {
            Some(sent) => {
                passed.events.iter().for_each(edge::told);
                Answered::Sent(sent)
            }
            // Only just stale, say.
            None if is_stored => Answered::Ask(Some(Ran::new(Outcome::Pass(passed)))),
            // It may be a page that streams.
            None => Answered::Leave,
        }
    }

    /// Answers as a hook does.
    fn put_answer<R>(
        &self,
        asked: &Asked<'_, '_>,
        answer: Answer,
        closing: bool,
        desk: &mut Desk,
        send: impl FnOnce(&[u8], &Bytes) -> R,
    ) -> Answered<R> {
        let mut names = answer.reply.headers().iter().map(|(name, _)| name);
        if answer.reply.status().is_informational()
            || edge::touches_connection(&answer.response)
            || names.any(edge::is_of_connection)
        {
            return Answered::Leave;
        }
        // What fails is traced in full, whatever the sampler says: that is known of the longer way alone.
        if answer.reply.status().is_server_error() {
            return Answered::Ask(Some(Ran::new(Outcome::Answer(answer))));
        }
        let without_body = asked.without_body;
        let traced = self.hit_begins(|name| asked.all(name));
        let mut response = self.answer_of(answer);
        response.headers_mut().remove(header::X_CONTENT_TYPE_OPTIONS);
        ask::complete(&mut response, without_body);
        desk.head.clear();
        wire::head(&mut desk.head, response.status(), response.headers());
        self.end(desk, closing);
        let sent = send(&desk.head, response.body());
        self.meter.answered_by_hook(without_body, response.status(), desk.took());
        self.hit_ends(traced, as_told(asked), response.status(), By::Hook);
        Answered::Sent(sent)
    }

    /// Answers from a page that is a hit; as hooks have it, where they let the request `passed`.
    #[allow(clippy::too_many_arguments, reason = "what is asked, what there is, and where it is written")]
    fn put<R>(
        &self,
        asked: &Asked<'_, '_>,
        page: &StoredPage,
        facts: Facts,
        hit: Hit<'_>,
        passed: Option<&Passed>,
        closing: bool,
        desk: &mut Desk,
        send: impl FnOnce(&[u8], &Bytes) -> R,
    ) -> Option<R> {
        desk.head.clear();
        let traced = self.hit_begins(|name| asked.all(name));
        let of = as_told(asked);
        let nothing = Bytes::new();
        let coding = negotiate_bytes(asked.all("accept-encoding"), page.codings());
        let ready = page.ready_head(coding, facts.mode, facts.lifetime).filter(|_| !asked.has_conditions);
        let is_ready = ready.is_some_and(|ready| match passed {
            None => {
                desk.head.extend_from_slice(ready.public());
                true
            }
            Some(passed) => self.head_of_passed(passed, page, ready, &mut desk.head),
        });
        if is_ready {
            wire::facts(&mut desk.head, facts.age_seconds, facts.cache_status);
            self.end(desk, closing);
            let body = if asked.without_body { &nothing } else { &page.body(coding).bytes };
            let sent = send(&desk.head, body);
            hit.answered(asked.without_body, page.status(), desk.took());
            self.hit_ends(traced, of, page.status(), By::Page(facts.cache_status));
            return Some(sent);
        }
        let mut answer = weigh(asked, page, facts)?;
        if let Some(passed) = passed {
            self.finish_passed(passed, page, answer.headers_mut());
        }
        desk.head.clear();
        wire::head(&mut desk.head, answer.status(), answer.headers());
        self.end(desk, closing);
        let sent = send(&desk.head, answer.body());
        hit.answered(asked.without_body, answer.status(), desk.took());
        self.hit_ends(traced, of, answer.status(), By::Page(facts.cache_status));
        Some(sent)
    }

    fn end(&self, desk: &mut Desk, closing: bool) {
        let Desk { head, date, .. } = desk;
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

/// As what a trace says that it was asked for.
fn as_told<'a>(asked: &Asked<'_, 'a>) -> AskedHit<'a> {
    let method = if asked.without_body { &Method::HEAD } else { &Method::GET };
    AskedHit { method, target: asked.target, host: Some(asked.host), version: "1.1" }
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
