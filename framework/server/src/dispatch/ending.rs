//! An answer as it goes out: what is counted and told of its request ends with its last byte, or says why that never went.

use crate::meter::Underway;
use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tropos_telemetry::trace::{Ended, Guard};

pub(crate) struct Ending {
    body: Body,
    /// Dropped without an end, it says that the reader left; and so does the trace.
    underway: Underway,
    trace: Option<Guard>,
}

impl Ending {
    /// `trace`: where it does not end with the head of the answer.
    pub(crate) fn body(body: Body, underway: Underway, trace: Option<Guard>) -> Body {
        Body::new(Self { body, underway, trace })
    }

    fn end(&mut self, ended: Ended) {
        // Before: spans of what made it end with it.
        self.body = Body::empty();
        self.underway.ended(&ended);
        if let Some(guard) = self.trace.take() {
            guard.trace().finish(ended);
        }
    }
}

impl http_body::Body for Ending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.end(Ended::Whole),
            Some(Err(error)) => {
                let why = error.to_string();
                self.end(Ended::Failed(why));
            }
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        // Who knows the length, as hyper does, does not ask for an end.
        if self.body.is_end_stream() {
            self.end(Ended::Whole);
        }
        // What is left of the render goes before its trace here too.
        self.body = Body::empty();
    }
}
