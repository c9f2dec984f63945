//! The body of an answer: stored, passed on, or stored while it is passed on.

use super::shared::Landing;
use bytes::{Buf, Bytes};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// What goes wrong in a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer of a [`CacheService`](super::CacheService).
pub struct Body(Kind);

enum Kind {
    /// From the store, or none.
    Bytes(Bytes),
    /// Passed on.
    Through(UnsyncBoxBody<Bytes, BoxError>),
    /// Passed on and kept.
    Keeping(Box<Keeping>),
}

/// A body that is kept while it is passed on.
struct Keeping {
    inner: UnsyncBoxBody<Bytes, BoxError>,
    /// A copy: a part of a connection's buffer would keep all of that buffer, which no bound counts.
    kept: Vec<u8>,
    /// What `Content-Length` says.
    declared: Option<usize>,
    most: usize,
    /// How long the rest may take once the client has left.
    most_background: Duration,
    /// Where the whole goes; none once it went there, or will not.
    landing: Option<Landing>,
}

impl Body {
    pub(super) fn bytes(bytes: Bytes) -> Self {
        Self(Kind::Bytes(bytes))
    }

    pub(super) fn through<R>(body: R) -> Self
    where
        R: http_body::Body + Send + 'static,
        R::Error: Into<BoxError>,
    {
        Self(Kind::Through(boxed(body)))
    }

    /// Passes on, and hands the whole to `landing` once it is there.
    pub(super) fn keeping<R>(
        body: R,
        declared: Option<usize>,
        most: usize,
        most_background: Duration,
        landing: Landing,
    ) -> Self
    where
        R: http_body::Body + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let is_empty = body.is_end_stream();
        let mut keeping = Keeping {
            inner: boxed(body),
            kept: Vec::new(),
            declared,
            most,
            most_background,
            landing: Some(landing),
        };
        if is_empty {
            keeping.land();
        }
        Self(Kind::Keeping(Box::new(keeping)))
    }
}

/// For bodies of `Bytes` this copies nothing.
fn boxed<R>(body: R) -> UnsyncBoxBody<Bytes, BoxError>
where
    R: http_body::Body + Send + 'static,
    R::Error: Into<BoxError>,
{
    body.map_frame(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
        .map_err(Into::into)
        .boxed_unsync()
}

impl Keeping {
    fn see(&mut self, frame: &Frame<Bytes>) {
        let Some(data) = frame.data_ref() else { return };
        if self.landing.is_none() {
            return;
        }
        if self.kept.len().saturating_add(data.len()) > self.most {
            self.kept = Vec::new();
            if let Some(landing) = self.landing.take() {
                landing.refuse();
            }
            return;
        }
        self.kept.extend_from_slice(data);
        // A server does not ask on once it has sent what the length promised.
        if self.inner.is_end_stream() || self.declared == Some(self.kept.len()) {
            self.land();
        }
    }

    /// The body has ended. RFC 9111 §3.3: one that is shorter than its length is not complete.
    fn land(&mut self) {
        let kept = mem::take(&mut self.kept);
        if let Some(landing) = self.landing.take()
            && self.declared.is_none_or(|declared| declared == kept.len())
        {
            // Without the room for more that it grew.
            landing.land(Bytes::from(kept.into_boxed_slice()));
        }
    }

    /// Drops what was kept of a body that failed, and leaves its place to the next.
    fn give_up(&mut self) {
        self.landing = None;
        self.kept = Vec::new();
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => self.see(frame),
            Poll::Ready(Some(Err(_))) => self.give_up(),
            Poll::Ready(None) => self.land(),
            Poll::Pending => {}
        }
        polled
    }

    /// The rest, for nobody but the store.
    async fn finish(mut self) {
        while self.landing.is_some() {
            match std::future::poll_fn(|cx| self.poll(cx)).await {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            }
        }
    }
}

/// A client who leaves does not end what others wait for, and what is paid for already.
impl Drop for Body {
    fn drop(&mut self) {
        if let Kind::Keeping(keeping) = mem::replace(&mut self.0, Kind::Bytes(Bytes::new()))
            && keeping.landing.is_some()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let most = keeping.most_background;
            runtime.spawn(tokio::time::timeout(most, keeping.finish()));
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match &mut self.0 {
            Kind::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(mem::take(bytes))))),
            Kind::Through(body) => Pin::new(body).poll_frame(cx),
            Kind::Keeping(keeping) => keeping.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Bytes(bytes) => bytes.is_empty(),
            Kind::Through(body) => body.is_end_stream(),
            Kind::Keeping(keeping) => keeping.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Through(body) => body.size_hint(),
            Kind::Keeping(keeping) => keeping.inner.size_hint(),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::bytes(Bytes::new())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Bytes(_) => "Body(stored)",
            Kind::Through(_) => "Body(passed on)",
            Kind::Keeping(_) => "Body(stored while it is passed on)",
        })
    }
}
