//! Requests of tests, and a platform that answers at once.
#![allow(dead_code, reason = "each test uses a part of it")]

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};
use tropos_core::{CanonicalPath, clock::UnixMillis};
use tropos_edge::{
    EdgeRequest, Error, Hooks, Platform,
    platform::{BoxFuture, Count},
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
    pub counts: Mutex<HashMap<String, u32>>,
    pub answers: Mutex<HashMap<String, (u16, Bytes)>>,
}

impl Platform for Still {
    fn now(&self) -> UnixMillis {
        self.now.load(Ordering::Relaxed)
    }

    fn random(&self) -> u64 {
        self.random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed)
    }

    fn lookup<'a>(&'a self, store: &'a str, name: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, Error>> {
        let found = self.store.lock().unwrap().get(&(store.to_owned(), name.to_owned())).cloned();
        Box::pin(async move { Ok(found) })
    }

    fn count<'a>(&'a self, key: &'a str, most: u32, seconds: u32) -> BoxFuture<'a, Result<Count, Error>> {
        let mut counts = self.counts.lock().unwrap();
        let used = counts.entry(key.to_owned()).or_default();
        *used += 1;
        let left = most.checked_sub(*used);
        Box::pin(async move { Ok(Count { left, seconds }) })
    }

    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<(u16, Bytes), Error>> {
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
