//! What the script calls, and what it offers to hooks.

use super::{Asked, Settings, Vars, Worker};
use crate::{
    Error, Hooks, Platform,
    platform::{BoxFuture, Count},
    ready::rate_limit::{Counters, Window},
};
use bytes::Bytes;
use js_sys::{Array, Promise, Uint8Array};
use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};
use tropos_core::UnixMillis;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

#[wasm_bindgen]
extern "C" {
    /// What the script offers for one request.
    pub type Host;

    #[wasm_bindgen(method)]
    fn now(this: &Host) -> f64;
    #[wasm_bindgen(method)]
    fn random(this: &Host) -> u64;
    /// Bytes, or nothing.
    #[wasm_bindgen(method, catch)]
    fn lookup(this: &Host, store: &str, name: &str) -> Result<Promise, JsValue>;
    /// What is left, below zero for nothing, and the seconds; nothing where there is no store to count in.
    #[wasm_bindgen(method, catch)]
    fn count(this: &Host, key: &str, most: u32, seconds: u32, slides: bool) -> Result<Promise, JsValue>;
    /// Status and bytes.
    #[wasm_bindgen(method, catch)]
    fn fetch(this: &Host, url: &str) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, js_name = waitUntil)]
    fn wait_until(this: &Host, work: &Promise);
}

/// What the script reads when a hook gives no answer: a panic takes the whole module with it.
const PANICKED: &str = "troposPanicked";

type Make = Box<dyn Fn(&Vars) -> Hooks>;

thread_local! {
    static MAKE: RefCell<Option<Make>> = const { RefCell::new(None) };
    static WORKER: OnceCell<Rc<Worker>> = const { OnceCell::new() };
    /// Of this isolate alone, as those of a server are of one instance.
    static COUNTERS: RefCell<Counters> = RefCell::default();
}

/// Keeps what makes the hooks until the environment is known, with the first request.
pub fn install(make: impl Fn(&Vars) -> Hooks + 'static) {
    // Without the message, whose writing would double what the hook weighs: the platform logs the trap.
    std::panic::set_hook(Box::new(|_| {
        let _ = js_sys::Reflect::set(&js_sys::global(), &PANICKED.into(), &JsValue::TRUE);
    }));
    MAKE.with_borrow_mut(|kept| *kept = Some(Box::new(make)));
}

/// Makes the hooks. `settings` is JSON; without effect the second time.
///
/// # Errors
/// What is wrong with the hooks, the routes or the secret.
#[wasm_bindgen]
pub fn begin(settings: &str) -> Result<(), JsError> {
    if worker().is_some() {
        return Ok(());
    }
    let settings: Settings = serde_json::from_str(settings)?;
    let hooks = MAKE.with_borrow(|make| make.as_ref().map(|make| make(&settings.vars)));
    let hooks = hooks.ok_or_else(|| JsError::new("the application has no `tropos::edge::worker!(…)`"))?;
    let made = Rc::new(Worker::new(hooks, settings)?);
    WORKER.with(|worker| drop(worker.set(made)));
    Ok(())
}

/// Decides on a request, from JSON to JSON.
///
/// # Errors
/// Where it has not begun, or `asked` is not what it should be.
#[wasm_bindgen]
pub async fn decide(host: Host, asked: String) -> Result<String, JsError> {
    let worker = worker().ok_or_else(|| JsError::new("not begun"))?;
    let asked: Asked = serde_json::from_str(&asked)?;
    let decided = worker.decide(&asked, &Offered(Rc::new(host))).await;
    Ok(serde_json::to_string(&decided)?)
}

/// Whether a hook is for some hosts alone; also where it has not begun, which nobody may take for "no".
#[wasm_bindgen]
pub fn matches_by_host() -> bool {
    worker().is_none_or(|worker| worker.matches_by_host())
}

/// Which tags are to be forgotten, as a JSON array.
///
/// # Errors
/// Where the request is not signed.
#[wasm_bindgen]
pub fn purged(asked: &str, statement: &str, now: f64) -> Result<String, JsError> {
    let worker = worker().ok_or_else(|| JsError::new("not begun"))?;
    let tags = worker.purged(&serde_json::from_str(asked)?, statement, millis(now))?;
    Ok(serde_json::to_string(&tags)?)
}

fn worker() -> Option<Rc<Worker>> {
    WORKER.with(|worker| worker.get().cloned())
}

/// Milliseconds since 1970, which a double holds exactly for a quarter of a million years.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
fn millis(now: f64) -> UnixMillis {
    now as u64
}

struct Offered(Rc<Host>);

fn failed(error: &JsValue) -> Error {
    let text = error.as_string().or_else(|| js_sys::Reflect::get(error, &"message".into()).ok()?.as_string());
    Error::Hook(text.unwrap_or_else(|| "the Worker's script failed".to_owned()))
}

impl Offered {
    async fn ask(&self, asked: Result<Promise, JsValue>) -> Result<JsValue, Error> {
        let promise = asked.map_err(|error| failed(&error))?;
        JsFuture::from(promise).await.map_err(|error| failed(&error))
    }
}

impl Offered {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    async fn counted(&self, key: &str, most: u32, seconds: u32, window: Window) -> Result<Count, Error> {
        let slides = window == Window::Sliding;
        let counted = self.ask(self.0.count(key, most, seconds, slides)).await?;
        if counted.is_null_or_undefined() {
            let now = self.now();
            return Ok(COUNTERS.with_borrow_mut(|counters| counters.count(key, most, seconds, window, now)));
        }
        let parts = number(&counted, 0).zip(number(&counted, 1));
        let (left, seconds) = parts.ok_or_else(|| {
            Error::Hook("the service RATE_LIMITS did not answer with two numbers".to_owned())
        })?;
        Ok(Count { left: (left >= 0.0).then_some(left as u32), seconds: seconds as u32 })
    }
}

fn number(value: &JsValue, at: u32) -> Option<f64> {
    Array::from(value).get(at).as_f64()
}

impl Platform for Offered {
    fn now(&self) -> UnixMillis {
        millis(self.0.now())
    }

    fn random(&self) -> u64 {
        self.0.random()
    }

    fn lookup<'a>(&'a self, store: &'a str, name: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, Error>> {
        Box::pin(async move {
            let found = self.ask(self.0.lookup(store, name)).await?;
            Ok((!found.is_null_or_undefined()).then(|| Uint8Array::new(&found).to_vec().into()))
        })
    }

    fn count<'a>(&'a self, key: &'a str, most: u32, seconds: u32) -> BoxFuture<'a, Result<Count, Error>> {
        Box::pin(self.counted(key, most, seconds, Window::Fixed))
    }

    fn count_sliding<'a>(
        &'a self,
        key: &'a str,
        most: u32,
        seconds: u32,
    ) -> BoxFuture<'a, Result<Count, Error>> {
        Box::pin(self.counted(key, most, seconds, Window::Sliding))
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<(u16, Bytes), Error>> {
        Box::pin(async move {
            let answer = self.ask(self.0.fetch(url)).await?;
            let status = number(&answer, 0).unwrap_or_default();
            Ok((status as u16, Uint8Array::new(&Array::from(&answer).get(1)).to_vec().into()))
        })
    }

    fn wait_until(&self, work: BoxFuture<'static, ()>) {
        let promise = future_to_promise(async move {
            work.await;
            Ok(JsValue::UNDEFINED)
        });
        self.0.wait_until(&promise);
    }
}
