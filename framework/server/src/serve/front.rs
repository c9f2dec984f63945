//! Threads that do nothing but read requests and answer those that are hits.
//!
//! A hit takes some microseconds of one core, most of it in the kernel. Spread over all threads of a runtime that may take
//! tasks from each other, it costs half as much again in waking and moving. And renders, which take milliseconds, do not
//! stand before it.

use std::{io, thread};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// The threads; they end when this is dropped, and their connections with them.
pub(super) struct Fronts {
    handles: Vec<Handle>,
    /// Each thread waits for its own to be dropped.
    _running: Vec<oneshot::Sender<()>>,
}

impl Fronts {
    /// Starts so many threads; with none, their work is done by the threads that this is called on.
    pub(super) fn start(count: usize) -> io::Result<Self> {
        let mut fronts = Self { handles: Vec::new(), _running: Vec::new() };
        for number in 0..count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (running, ended) = oneshot::channel::<()>();
            fronts.handles.push(runtime.handle().clone());
            fronts._running.push(running);
            thread::Builder::new().name(format!("tropos-front-{number}")).spawn(move || {
                // Nothing is ever sent: the sender is dropped.
                runtime.block_on(ended).ok();
            })?;
        }
        if fronts.handles.is_empty() {
            fronts.handles.push(Handle::current());
        }
        Ok(fronts)
    }

    /// The runtimes, one a thread.
    pub(super) fn handles(&self) -> &[Handle] {
        &self.handles
    }
}
