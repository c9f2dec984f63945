//! A page whose data the test owns.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of tests: a failure here is the test's")]

use futures::future::BoxFuture;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};
use tokio::sync::watch;
use tropos_core::Failure;
use tropos_live::{Event, Message, Rendered, Source, Version};

/// What a render does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome {
    Renders,
    Fails,
    Panics,
    Hangs,
}

/// One value under one tag. Clones share it.
#[derive(Clone)]
pub(crate) struct TestPage(Arc<Inner>);

struct Inner {
    value: Mutex<String>,
    /// The tag's number; a mark is the number at a render's start.
    number: watch::Sender<u64>,
    renders: AtomicUsize,
    held: watch::Sender<bool>,
    outcome: Mutex<Outcome>,
    outdated: AtomicBool,
}

impl TestPage {
    pub(crate) fn new(value: &str) -> Self {
        Self(Arc::new(Inner {
            value: Mutex::new(value.to_owned()),
            number: watch::Sender::new(1),
            renders: AtomicUsize::new(0),
            held: watch::Sender::new(false),
            outcome: Mutex::new(Outcome::Renders),
            outdated: AtomicBool::new(false),
        }))
    }

    /// Writes the value and invalidates its tag.
    pub(crate) fn set(&self, value: &str) {
        *self.0.value.lock().unwrap() = value.to_owned();
        self.0.number.send_modify(|number| *number += 1);
    }

    /// What a render would give now. Long enough for a splice to be the shorter message.
    pub(crate) fn html(&self) -> String {
        format!("<header>{}</header><p>{}</p>", "padding ".repeat(30), self.0.value.lock().unwrap())
    }

    pub(crate) fn version(&self) -> Version {
        Version::of(&self.html())
    }

    /// A render that does not count.
    pub(crate) fn read(&self) -> (Arc<str>, u64) {
        let mark = *self.0.number.borrow();
        (self.html().into(), mark)
    }

    pub(crate) fn renders(&self) -> usize {
        self.0.renders.load(SeqCst)
    }

    /// How many wait for a change.
    pub(crate) fn waiting(&self) -> usize {
        self.0.number.receiver_count()
    }

    /// Renders read, and then wait before they return.
    pub(crate) fn hold_renders(&self) {
        self.0.held.send_replace(true);
    }

    pub(crate) fn release_renders(&self) {
        self.0.held.send_replace(false);
    }

    pub(crate) fn set_outcome(&self, outcome: Outcome) {
        *self.0.outcome.lock().unwrap() = outcome;
    }

    /// From now on every render counts as outdated as soon as it is there.
    pub(crate) fn outdate_at_once(&self) {
        self.0.outdated.store(true, SeqCst);
    }
}

impl Source for TestPage {
    type Mark = u64;

    fn render(&self) -> BoxFuture<'static, Rendered<u64>> {
        let this = self.clone();
        this.0.renders.fetch_add(1, SeqCst);
        let outcome = *this.0.outcome.lock().unwrap();
        Box::pin(async move {
            let rendered = this.read();
            this.0.held.subscribe().wait_for(|held| !held).await?;
            match outcome {
                Outcome::Renders => Ok(rendered),
                Outcome::Fails => Err(Failure::new("the upstream is away")),
                Outcome::Panics => panic!("a bug in the page"),
                Outcome::Hangs => std::future::pending().await,
            }
        })
    }

    fn changed(&self, mark: u64) -> BoxFuture<'static, ()> {
        let this = self.clone();
        Box::pin(async move {
            if !this.0.outdated.load(SeqCst) {
                this.0.number.subscribe().wait_for(|number| *number > mark).await.unwrap();
            }
        })
    }
}

/// The data, read back: a JSON text that fails to be a message fails the test.
pub(crate) fn data_of(event: &Event) -> String {
    match serde_json::from_str(&event.data).unwrap() {
        Message::Splice { ins, .. } => ins,
        Message::Whole { html, .. } => html,
    }
}

/// The whole HTML, where that is what the event brings.
pub(crate) fn html_of(event: &Event) -> Option<String> {
    match serde_json::from_str(&event.data).unwrap() {
        Message::Splice { .. } => None,
        Message::Whole { html, .. } => Some(html),
    }
}
