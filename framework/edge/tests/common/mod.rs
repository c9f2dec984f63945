//! Requests of tests, and a platform that answers at once.
#![allow(dead_code, reason = "each test uses a part of it")]

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tropos_core::{CanonicalPath, clock::UnixMillis};
use tropos_edge::{
    EdgeRequest, Error, Hooks, Platform,
    platform::{BoxFuture, Count},
    ready::rate_limit::{Counters, Window},
    request::{Client, Headers, Route},
    run::{Answer, Outcome, Passed, run},
};

/// A request.
#[derive(Clone)]
pub struct Asked {
    pub method: Method,
    pub host: String,
    pub path: CanonicalPath,
    pub query: String,
    pub headers: HeaderMap,
    pub client: Client<'static>,
}

impl Asked {
    pub fn get(target: &str) -> Self {
        Self::of(Method::GET, target)
    }

    pub fn of(method: Method, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method,
            host: "shop.example".into(),
            path: CanonicalPath::parse(path).unwrap(),
            query: query.into(),
            headers: HeaderMap::new(),
            client: Client::default(),
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        self
    }

    pub fn request(&self) -> EdgeRequest<'_> {
        let headers = Headers::of(&self.headers);
        EdgeRequest::new(
            &self.method,
            &self.host,
            true,
            &self.path,
            &self.query,
            headers,
            self.client.clone(),
        )
    }
}

/// Time that tests turn, chance that they foretell, a store that they fill.
#[derive(Default)]
pub struct Still {
    pub now: AtomicU64,
    pub random: AtomicU64,
    pub store: Mutex<HashMap<(String, String), Bytes>>,
    pub counters: Mutex<Option<Counters>>,
    /// Keys that were counted, in order.
    pub counted: Mutex<Vec<String>>,
    pub answers: Mutex<HashMap<String, (u16, Bytes)>>,
    /// Look-ups and fetches so far.
    pub lookups: AtomicU64,
    pub fetches: AtomicU64,
    /// Look-ups and counts fail.
    pub broken: AtomicBool,
}

impl Still {
    pub fn at(now: u64) -> Self {
        Self { now: now.into(), ..Self::default() }
    }

    pub fn set(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
    }

    pub fn later(&self, millis: u64) {
        self.now.fetch_add(millis, Ordering::Relaxed);
    }

    fn counts(&self, key: &str, most: u32, seconds: u32, window: Window) -> Result<Count, Error> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(Error::Hook("the store of counts is broken".into()));
        }
        self.counted.lock().unwrap().push(key.to_owned());
        let mut counters = self.counters.lock().unwrap();
        let counters = counters.get_or_insert_with(|| Counters::new(1000));
        Ok(counters.count(key, most, seconds, window, self.now()))
    }
}

impl Platform for Still {
    fn now(&self) -> UnixMillis {
        self.now.load(Ordering::Relaxed)
    }

    fn random(&self) -> u64 {
        self.random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed)
    }

    fn lookup<'a>(&'a self, store: &'a str, name: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, Error>> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        if self.broken.load(Ordering::Relaxed) {
            return Box::pin(async { Err(Error::Hook("the store is broken".into())) });
        }
        let found = self.store.lock().unwrap().get(&(store.to_owned(), name.to_owned())).cloned();
        Box::pin(async move { Ok(found) })
    }

    fn count<'a>(&'a self, key: &'a str, most: u32, seconds: u32) -> BoxFuture<'a, Result<Count, Error>> {
        let count = self.counts(key, most, seconds, Window::Fixed);
        Box::pin(async move { count })
    }

    fn count_sliding<'a>(
        &'a self,
        key: &'a str,
        most: u32,
        seconds: u32,
    ) -> BoxFuture<'a, Result<Count, Error>> {
        let count = self.counts(key, most, seconds, Window::Sliding);
        Box::pin(async move { count })
    }

    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<(u16, Bytes), Error>> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let answer = self.answers.lock().unwrap().get(url).cloned();
        Box::pin(async move { answer.ok_or_else(|| Error::Hook(format!("{url} does not answer"))) })
    }

    fn wait_until(&self, work: BoxFuture<'static, ()>) {
        futures::executor::block_on(work);
    }
}

pub fn outcome(hooks: &Hooks, asked: &Asked) -> Outcome {
    outcome_on(&Still::default(), hooks, asked)
}

pub fn outcome_on(platform: &Still, hooks: &Hooks, asked: &Asked) -> Outcome {
    let nowhere = |_: &CanonicalPath| None::<Route<'static>>;
    futures::executor::block_on(run(hooks, asked.request(), &nowhere, platform))
}

/// The headers of an answer to a request that goes on.
pub fn passed_headers(passed: &Passed) -> HeaderMap {
    let mut headers = HeaderMap::new();
    passed.response.apply(&mut headers, true);
    headers
}

/// All lines of a header of an answer, those of the reply and those that hooks added, joined by ` | `.
pub fn answered(answer: &Answer, name: &str) -> String {
    let mut headers: HeaderMap = answer.reply.headers().iter().cloned().collect();
    answer.response.apply(&mut headers, true);
    lines(&headers, name)
}

/// All lines of a header, joined by ` | `.
pub fn lines(headers: &HeaderMap, name: &str) -> String {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>().join(" | ")
}

pub fn pass_on(platform: &Still, hooks: &Hooks, asked: &Asked) -> Passed {
    match outcome_on(platform, hooks, asked) {
        Outcome::Pass(passed) => passed,
        Outcome::Answer(answer) => panic!("answered: {answer:?}"),
    }
}

pub fn answer_on(platform: &Still, hooks: &Hooks, asked: &Asked) -> Answer {
    match outcome_on(platform, hooks, asked) {
        Outcome::Answer(answer) => answer,
        Outcome::Pass(passed) => panic!("passed: {passed:?}"),
    }
}

/// 200 where a request goes on; the status of the answer otherwise.
pub fn status_on(platform: &Still, hooks: &Hooks, asked: &Asked) -> u16 {
    match outcome_on(platform, hooks, asked) {
        Outcome::Pass(_) => 200,
        Outcome::Answer(answer) => answer.reply.status().as_u16(),
    }
}

pub fn pass(hooks: &Hooks, asked: &Asked) -> Passed {
    match outcome(hooks, asked) {
        Outcome::Pass(passed) => passed,
        Outcome::Answer(answer) => panic!("answered: {answer:?}"),
    }
}

pub fn answer(hooks: &Hooks, asked: &Asked) -> Answer {
    match outcome(hooks, asked) {
        Outcome::Answer(answer) => answer,
        Outcome::Pass(passed) => panic!("passed: {passed:?}"),
    }
}
