//! Keys that their issuer publishes (RFC 7517 §5), kept for a while.
//!
//! | what is known | what happens |
//! |---|---|
//! | no keys yet | whoever asks fetches, eight at once at most; after a failure nobody for 5 s |
//! | keys of the last hour | they count |
//! | older ones | the next to ask fetches; the others, and it too if that fails, go on with the old ones, for a day |
//! | keys, but not the one that a token names | one fetch, unless there was one within the last minute |

use super::{
    jwk::read_set,
    key::{Algorithm, Key},
};
use crate::{Error, Platform};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tropos_core::clock::UnixMillis;

/// Keys are looked at anew after this long: what an issuer withdraws counts no longer than this.
const FRESH: UnixMillis = 3600 * 1000;
/// Keys that cannot be fetched anew count this long: an issuer that is down for a night locks nobody out.
const KEPT: UnixMillis = 24 * 3600 * 1000;
/// Between two fetches, where there are keys: tokens with made-up names cause no more than this.
const BETWEEN: UnixMillis = 60 * 1000;
/// After a failure, where there are no keys.
const AFTER_FAILURE: UnixMillis = 5 * 1000;
/// Fetches at once, where there are no keys.
const MOST_AT_ONCE: u32 = 8;

/// The keys at an address.
#[derive(Debug)]
pub(super) struct Jwks {
    pub(super) url: String,
    pub(super) algorithms: Vec<Algorithm>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    keys: Option<(UnixMillis, Arc<[Key]>)>,
    tried: Option<UnixMillis>,
    running: u32,
}

/// What to do for keys.
#[derive(Debug)]
enum Step {
    Use(Arc<[Key]>),
    Fetch(Option<Arc<[Key]>>),
    GiveUp,
}

impl State {
    fn step(&mut self, now: UnixMillis, unknown: bool) -> Step {
        let age = |time: UnixMillis| now.saturating_sub(time);
        self.keys.take_if(|(fetched, _)| age(*fetched) >= KEPT);
        let last = self.tried.map(age);
        let step = match &self.keys {
            Some((fetched, keys)) => {
                let wanted = unknown || age(*fetched) >= FRESH;
                let allowed = last.is_none_or(|last| last >= BETWEEN);
                if wanted && allowed {
                    Step::Fetch(Some(Arc::clone(keys)))
                } else {
                    Step::Use(Arc::clone(keys))
                }
            }
            // While others fetch, their beginning is no failure.
            None if self.running > 0 && self.running < MOST_AT_ONCE => Step::Fetch(None),
            None if self.running == 0 && last.is_none_or(|last| last >= AFTER_FAILURE) => Step::Fetch(None),
            None => Step::GiveUp,
        };
        if matches!(step, Step::Fetch(_)) {
            self.tried = Some(now);
            self.running += 1;
        }
        step
    }
}

impl Jwks {
    pub(super) fn new(url: &str, algorithms: Vec<Algorithm>) -> Self {
        Self { url: url.to_owned(), algorithms, state: Mutex::default() }
    }

    /// The keys, where no fetch is due.
    pub(super) fn ready(&self, now: UnixMillis) -> Option<Arc<[Key]>> {
        let state = self.state();
        let (fetched, keys) = state.keys.as_ref()?;
        (now.saturating_sub(*fetched) < FRESH).then(|| Arc::clone(keys))
    }

    /// The keys, fetched where that is due. `unknown` where a token names one that is not among them.
    pub(super) async fn keys(&self, platform: &dyn Platform, unknown: bool) -> Result<Arc<[Key]>, Error> {
        let step = self.state().step(platform.now(), unknown);
        let old = match step {
            Step::Use(keys) => return Ok(keys),
            Step::GiveUp => return Err(self.unreachable("it could not be fetched a moment ago")),
            Step::Fetch(old) => old,
        };
        // A request that is given up in the middle leaves the count right.
        let running = Running(self);
        let fetched = match platform.fetch(&self.url).await {
            Ok((200, body)) => read_set(&body, &self.algorithms)
                .ok_or_else(|| self.unreachable("it holds no key of the algorithms that are asked for")),
            Ok((status, _)) => Err(self.unreachable(&format!("it answers with {status}"))),
            Err(error) => Err(self.unreachable(&error.to_string())),
        };
        drop(running);
        match (fetched, old) {
            (Ok(keys), _) => {
                let keys: Arc<[Key]> = keys.into();
                self.state().keys = Some((platform.now(), Arc::clone(&keys)));
                Ok(keys)
            }
            (Err(_), Some(old)) => Ok(old),
            (Err(error), None) => Err(error),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unreachable(&self, why: &str) -> Error {
        Error::Hook(format!("the keys at {} cannot be used: {why}", self.url))
    }
}

struct Running<'a>(&'a Jwks);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.running = state.running.saturating_sub(1);
    }
}
