//! The end of a render, told to all who wait for it.

use super::sync::{Mutex, MutexGuard};
use std::{
    collections::BTreeMap,
    future::poll_fn,
    mem,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker},
};

/// Told once, and awaited by many. It holds one waker for each who waits, and none of those who have left.
pub(crate) struct Landing<T>(Mutex<State<T>>);

enum State<T> {
    UnderWay {
        /// Of those who wait, by their number, so that they are woken in the order in which they came.
        wakers: BTreeMap<u64, Waker>,
        /// How many have ever waited.
        numbers: u64,
    },
    Told(T),
}

/// Waits for the end of a render.
pub(crate) struct Waiter<T> {
    landing: Arc<Landing<T>>,
    /// That of its waker, once it has left one.
    number: Option<u64>,
}

impl<T> Landing<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State::UnderWay { wakers: BTreeMap::new(), numbers: 0 })))
    }

    /// Tells all who wait, and all who will. What is told first holds.
    pub(crate) fn tell(&self, end: T) {
        let mut state = self.lock();
        let State::UnderWay { wakers, .. } = &mut *state else {
            return;
        };
        let wakers = mem::take(wakers);
        *state = State::Told(end);
        // What a waker does is its own matter, and may lead back here: never under the lock.
        drop(state);
        wakers.into_values().for_each(Waker::wake);
    }

    fn leave(&self, number: u64) {
        let waker = match &mut *self.lock() {
            State::UnderWay { wakers, .. } => wakers.remove(&number),
            State::Told(_) => None,
        };
        drop(waker); // after the lock
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Landing<T> {
    /// Looks and leaves the waker under one lock: whoever tells comes before both, or finds the waker.
    fn poll(&self, number: &mut Option<u64>, context: &Context<'_>) -> Poll<T> {
        let mut state = self.lock();
        let (wakers, numbers) = match &mut *state {
            State::Told(end) => return Poll::Ready(end.clone()),
            State::UnderWay { wakers, numbers } => (wakers, numbers),
        };
        let number = *number.get_or_insert_with(|| {
            *numbers += 1;
            *numbers
        });
        let known = wakers.get(&number).is_some_and(|waker| waker.will_wake(context.waker()));
        let earlier = if known { None } else { wakers.insert(number, context.waker().clone()) };
        drop(state);
        drop(earlier); // after the lock
        Poll::Pending
    }
}

impl<T> Waiter<T> {
    pub(crate) fn of(landing: &Arc<Landing<T>>) -> Self {
        Self { landing: landing.clone(), number: None }
    }
}

impl<T: Clone> Waiter<T> {
    /// What is told in the end.
    pub(crate) async fn wait(mut self) -> T {
        poll_fn(|context| {
            let end = self.landing.poll(&mut self.number, context);
            if end.is_ready() {
                self.number = None;
            }
            end
        })
        .await
    }
}

impl<T> Drop for Waiter<T> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.landing.leave(number);
        }
    }
}
