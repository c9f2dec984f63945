//! A landing that does as the real one does, or as planted.

use super::{Mistake, sync::Mutex};
use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

pub(crate) struct Landing<T>(Mutex<State<T>>);

struct State<T> {
    told: Option<T>,
    wakers: Vec<(u64, Waker)>,
    numbers: u64,
}

pub(crate) struct Waiter<T> {
    landing: Arc<Landing<T>>,
    number: Option<u64>,
}

impl<T> Landing<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { told: None, wakers: Vec::new(), numbers: 0 })))
    }

    pub(crate) fn tell(&self, end: T) {
        let mut state = self.0.lock().unwrap();
        let wakers = std::mem::take(&mut state.wakers);
        if Mistake::WakesThenTells.is_planted() {
            drop(state);
            wakers.into_iter().for_each(|(_, waker)| waker.wake());
            self.0.lock().unwrap().told = Some(end);
            return;
        }
        state.told.get_or_insert(end);
        drop(state);
        wakers.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl<T: Clone> Landing<T> {
    fn poll(&self, number: &mut Option<u64>, context: &Context<'_>) -> Poll<T> {
        let mut state = self.0.lock().unwrap();
        if let Some(end) = &state.told {
            return Poll::Ready(end.clone());
        }
        if Mistake::LooksThenLeavesItsWaker.is_planted() {
            drop(state);
            state = self.0.lock().unwrap();
        }
        if Mistake::KeepsOneWaker.is_planted() {
            state.wakers.clear();
        }
        let number = *number.get_or_insert(state.numbers);
        state.numbers += 1;
        state.wakers.retain(|(of, _)| *of != number);
        state.wakers.push((number, context.waker().clone()));
        Poll::Pending
    }
}

impl<T> Waiter<T> {
    pub(crate) fn of(landing: &Arc<Landing<T>>) -> Self {
        Self { landing: landing.clone(), number: None }
    }
}

impl<T: Clone> Waiter<T> {
    pub(crate) async fn wait(mut self) -> T {
        poll_fn(|context| self.landing.poll(&mut self.number, context)).await
    }
}

impl<T> Drop for Waiter<T> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut state = self.landing.0.lock().unwrap();
        let at = match Mistake::TakesTheFirstWaker.is_planted() {
            true => (!state.wakers.is_empty()).then_some(0),
            false => state.wakers.iter().position(|(of, _)| *of == number),
        };
        drop(at.map(|at| state.wakers.remove(at)));
    }
}
