//! The stream of a live page: a trace of its own, which ends when its reader leaves or the server does.

use super::spans;
use crate::site::Site;
use futures::Stream;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tropos_telemetry::trace::{Background, SpanContext, current};

/// The session of one reader.
pub(crate) struct Session {
    background: Background,
    frames: i64,
    ended: bool,
}

impl Site {
    /// A session begins, within the request that opened it.
    pub(crate) fn begin_session(&self, route: &'static str) -> Session {
        let cause = current().map(|current| current.context());
        let background = self.tracer.background("live session", route, cause, spans::session);
        Session { background, frames: 0, ended: false }
    }
}

impl Session {
    /// Its span, for the renders that it causes.
    pub(crate) fn context(&self) -> Option<SpanContext> {
        self.background.context()
    }

    /// There is no room for it: nobody has left.
    pub(crate) fn refused(mut self) {
        self.ended = true;
        self.background.set("tropos.response.ended", "refused");
    }

    /// The stream, as it is followed.
    pub(crate) fn follow<S: Stream + Unpin>(self, stream: S) -> Followed<S> {
        Followed { stream, session: self }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.background.set("tropos.live.frames", self.frames);
        if !self.ended {
            self.background.set("tropos.response.ended", "client_left");
        }
    }
}

/// A stream of events that are counted.
pub(crate) struct Followed<S> {
    stream: S,
    session: Session,
}

impl<S: Stream + Unpin> Stream for Followed<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let polled = Pin::new(&mut self.stream).poll_next(cx);
        match &polled {
            Poll::Ready(Some(_)) => self.session.frames += 1,
            Poll::Ready(None) => self.session.ended = true,
            Poll::Pending => {}
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{App, Config};
    use futures::StreamExt as _;
    use std::sync::Arc;
    use tropos_cache::Engine;
    use tropos_core::ManualClock;
    use tropos_telemetry::trace::Value;

    #[tokio::test]
    async fn how_a_session_ended_is_said_where_its_stream_did_not() {
        let mut config = Config::default();
        config.telemetry.ring = true;
        let engine = Engine::in_memory(Arc::new(ManualClock::new()));
        let site = Site::over(App::new(), config, engine).await.unwrap();
        let ended = || {
            let trace = site.tracer.ring().unwrap().latest().remove(0);
            match trace.root().unwrap().attribute("tropos.response.ended") {
                Some(Value::Text(word)) => word.to_string(),
                _ => String::new(),
            }
        };
        site.begin_session("/board").refused();
        assert_eq!(ended(), "refused");
        drop(site.begin_session("/board").follow(futures::stream::pending::<()>()));
        assert_eq!(ended(), "client_left");
        let mut followed = site.begin_session("/board").follow(futures::stream::iter([1]));
        while followed.next().await.is_some() {}
        drop(followed);
        assert_eq!(ended(), "");
    }
}
