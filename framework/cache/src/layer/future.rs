//! The future of the service.

use super::Body;
use ::http::Response;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

type Answer<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

/// The answer of a [`CacheService`](super::CacheService), from its store or from the service within.
pub struct ResponseFuture<E>(Answer<E>);

impl<E> ResponseFuture<E> {
    pub(super) fn new(answer: impl Future<Output = Result<Response<Body>, E>> + Send + 'static) -> Self {
        Self(Box::pin(answer))
    }
}

impl<E> Future for ResponseFuture<E> {
    type Output = Result<Response<Body>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<E> fmt::Debug for ResponseFuture<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
