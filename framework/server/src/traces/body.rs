//! An answer as it goes out: its trace ends with its last byte, or says why that never went.

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tropos_telemetry::trace::{Ended, Guard};

pub(super) struct Traced {
    body: Body,
    /// Dropped unfinished, it says that the reader left.
    guard: Option<Guard>,
}

impl Traced {
    pub(super) fn new(body: Body, guard: Guard) -> Self {
        Self { body, guard: Some(guard) }
    }

    fn end(&mut self, ended: Ended) {
        // Before: spans of what made it end with it.
        self.body = Body::empty();
        if let Some(guard) = self.guard.take() {
            guard.trace().finish(ended);
        }
    }
}

impl http_body::Body for Traced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(None) => self.end(Ended::Whole),
            Poll::Ready(Some(Err(error))) => {
                let why = error.to_string();
                self.end(Ended::Failed(why));
            }
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // Who knows the length, as hyper does, does not ask for an end.
        if self.body.is_end_stream() {
            self.end(Ended::Whole);
        }
        // What is left of the render goes first here too; then the guard says that the reader has left.
        self.body = Body::empty();
    }
}
