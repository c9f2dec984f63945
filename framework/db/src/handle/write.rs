//! The handle that writes.

use super::{Route, read::executor, run};
use crate::backend::{Backend, Given, Statement};
use either::Either;
use futures::{FutureExt, future::BoxFuture, stream::BoxStream};
use sqlx::{Execute, Executor, SqlStr};
use std::{fmt, marker::PhantomData};

/// Writes: to the primary.
///
/// From then on this request reads from the primary, and the visitor's next ones see the write, on any instance.
pub struct Write<'c, B> {
    pub(crate) route: Route<'c>,
    pub(crate) view: PhantomData<fn() -> B>,
}

executor!(Write);
