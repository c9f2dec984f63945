//! Bodies on their way back: pages with the client added, event streams that outlive a process.

use super::{Body, BoxError, Proxy, inject::Injector, resume::Events, upstream::Held};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, request::Parts};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request,
    body::{Frame, Incoming, SizeHint},
};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Parts of an event stream that may be under way to a browser.
const UNDER_WAY: usize = 16;

/// An event stream waits so long for the next process: as long as a large build may take.
pub(super) const NEXT_PROCESS: Duration = Duration::from_secs(600);

/// A body that keeps its process from being told to end.
struct Kept {
    inner: Incoming,
    injector: Option<Injector>,
    _token: TaskTrackerToken,
}

impl hyper::body::Body for Kept {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
            let Some(injector) = &mut self.injector else {
                return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
            };
            let out = match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => injector.push(&data),
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => {
                    let rest = injector.finish();
                    self.injector = None;
                    if rest.is_empty() {
                        return Poll::Ready(None);
                    }
                    rest
                }
            };
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out.into()))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.injector.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.injector.is_some() { SizeHint::default() } else { self.inner.size_hint() }
    }
}

/// The body as it is, or with a tag added.
pub(super) fn kept(inner: Incoming, tag: Option<String>, token: TaskTrackerToken) -> Body {
    Kept { inner, injector: tag.map(Injector::new), _token: token }.boxed_unsync()
}

/// What arrives by a channel.
pub(super) struct Channel(pub(super) mpsc::Receiver<Bytes>);

impl hyper::body::Body for Channel {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(cx).map(|part| part.map(|part| Ok(Frame::data(part))))
    }
}

/// An event stream that goes on at the next process: the browser's connection stays, and the next one is asked to go on
/// behind the last event that arrived whole. `asked` is the request, without its body.
pub(super) fn resumed(proxy: Arc<Proxy>, asked: Parts, first: Incoming, version: u64) -> Body {
    let (sender, receiver) = mpsc::channel(UNDER_WAY);
    tokio::spawn(async move {
        let gone = sender.clone();
        tokio::select! {
            () = gone.closed() => {}
            () = pump(&proxy, asked, first, version, sender) => {}
        }
    });
    Channel(receiver).boxed_unsync()
}

async fn pump(
    proxy: &Proxy,
    asked: Parts,
    mut body: Incoming,
    mut version: u64,
    sender: mpsc::Sender<Bytes>,
) {
    let last = asked.headers.get(last_event_id()).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut events = Events::after(last);
    loop {
        let mut broken = false;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                broken = true;
                break;
            };
            let Ok(data) = frame.into_data() else { continue };
            let out = events.push(&data);
            if !out.is_empty() && sender.send(out.into()).await.is_err() {
                return;
            }
        }
        events.cut();
        let Some(held) = next(proxy, version, broken).await else { return };
        version = held.application.version;
        let Some(next) = ask_again(&asked, &events, &held).await else { return };
        body = next;
    }
}

/// The process behind `version`; none where that one ended the stream of its own accord, and goes on answering.
async fn next(proxy: &Proxy, version: u64, broken: bool) -> Option<Held> {
    let answers = || proxy.upstream.current().is_some_and(|current| current.version == version);
    if answers() {
        if !broken {
            return None;
        }
        // Its end may be noticed after that of the stream.
        let next = proxy.upstream.wait(Some(version), proxy.noticed).await;
        if next.is_some() || answers() {
            return next;
        }
    }
    proxy.upstream.wait(Some(version), NEXT_PROCESS).await
}

async fn ask_again(asked: &Parts, events: &Events, held: &Held) -> Option<Incoming> {
    let mut request = Request::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *request.uri_mut() = super::forward::target(held.application.public, &asked.uri)?;
    *request.headers_mut() = asked.headers.clone();
    if let Some(id) = events.last_id().and_then(|id| HeaderValue::from_str(id).ok()) {
        request.headers_mut().insert(last_event_id(), id);
    }
    let response = held.application.client.request(request).await.ok()?;
    let goes_on =
        response.status() == StatusCode::OK && super::headers::is(response.headers(), "text/event-stream");
    goes_on.then(|| response.into_body())
}

fn last_event_id() -> HeaderName {
    HeaderName::from_static("last-event-id")
}

#[cfg(test)]
mod tests {
    use super::{super::Application, *};
    use std::net::SocketAddr;

    fn proxy(version: u64) -> Arc<Proxy> {
        let proxy = Arc::new(Proxy::new(Vec::new(), Vec::new(), false));
        switch(&proxy, version);
        proxy
    }

    fn switch(proxy: &Proxy, version: u64) {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        proxy.upstream.switch(Some(Application::new(version, nowhere, nowhere)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_goes_on_after_a_process_that_died_and_ends_with_one_that_ended_it() {
        let proxy = proxy(1);
        assert!(next(&proxy, 1, false).await.is_none());
        assert!(next(&proxy, 1, true).await.is_none(), "it broke the stream off, and goes on answering");
        let waiting = proxy.clone();
        let waiting = tokio::spawn(async move { next(&waiting, 1, true).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(proxy.upstream.lost(1), "noticed after the stream broke");
        tokio::time::sleep(Duration::from_secs(300)).await;
        switch(&proxy, 2);
        assert_eq!(waiting.await.unwrap().unwrap().application.version, 2);
    }
}
