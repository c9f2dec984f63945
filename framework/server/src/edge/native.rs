//! What the server offers to hooks.

use bytes::Bytes;
use std::sync::Arc;
use tropos_core::{Clock, UnixMillis};
use tropos_edge::{
    Error, Platform,
    platform::{BoxFuture, Count},
};

/// The server as hooks see it.
pub(crate) struct Native {
    clock: Arc<dyn Clock>,
}

impl Native {
    /// Over the engine's clock.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }
}

impl Platform for Native {
    fn now(&self) -> UnixMillis {
        self.clock.wall()
    }

    fn random(&self) -> u64 {
        rand::random()
    }

    fn lookup<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, Error>> {
        Box::pin(async { Ok(None) })
    }

    fn count<'a>(&'a self, _: &'a str, _: u32, _: u32) -> BoxFuture<'a, Result<Count, Error>> {
        Box::pin(async { Err(Error::Hook("there is no store to count in".to_owned())) })
    }

    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<(u16, Bytes), Error>> {
        Box::pin(async move { Err(Error::Hook(format!("{url} was not fetched"))) })
    }

    fn wait_until(&self, work: BoxFuture<'static, ()>) {
        drop(tokio::spawn(work));
    }
}
