//! The handle that reads.

use super::{Route, run};
use crate::backend::{Backend, Given, Statement};
use either::Either;
use futures::{FutureExt, future::BoxFuture, stream::BoxStream};
use sqlx::{Execute, Executor, SqlStr};
use std::{fmt, marker::PhantomData};

/// Reads: from a replica where there is one that has seen what this visitor must see, else from the primary.
///
/// A write through it fails in the database itself. Copy it for as many queries as are needed; each finds its own
/// connection, and gives it back.
pub struct Read<'c, B> {
    pub(crate) route: Route<'c>,
    pub(crate) view: PhantomData<fn() -> B>,
}

macro_rules! executor {
    ($handle:ident) => {
        impl<B> Clone for $handle<'_, B> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<B> Copy for $handle<'_, B> {}

        impl<B> fmt::Debug for $handle<'_, B> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($handle)).field(&self.route.shard.name).finish()
            }
        }

        impl<'c, B: Backend> Executor<'c> for $handle<'c, B> {
            type Database = B;

            fn execute<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<B::QueryResult, sqlx::Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, B>,
            {
                let statement = Statement::of(query, self.route.prepares());
                let add = |sum: &mut B::QueryResult, item: Given<B>| {
                    let rows = run::rows(&item);
                    if let Either::Left(result) = item {
                        sum.extend([result]);
                    }
                    rows
                };
                run::to_end(self.route, statement, B::QueryResult::default, add).boxed()
            }

            fn fetch_all<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Vec<B::Row>, sqlx::Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, B>,
            {
                let statement = Statement::of(query, self.route.prepares());
                let add = |all: &mut Vec<B::Row>, item: Given<B>| {
                    let rows = run::rows(&item);
                    all.extend(item.right());
                    rows
                };
                run::to_end(self.route, statement, Vec::new, add).boxed()
            }

            fn fetch_optional<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxFuture<'e, Result<Option<B::Row>, sqlx::Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, B>,
            {
                let statement = Statement::of(query, self.route.prepares());
                run::first(self.route, statement).boxed()
            }

            fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Given<B>, sqlx::Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, B>,
            {
                run::stream(self.route, Statement::of(query, self.route.prepares()))
            }

            fn prepare_with<'e>(
                self,
                sql: SqlStr,
                parameters: &'e [B::TypeInfo],
            ) -> BoxFuture<'e, Result<B::Statement, sqlx::Error>>
            where
                'c: 'e,
            {
                async move { self.route.lease(Default::default()).await?.prepare::<B>(sql, parameters).await }
                    .boxed()
            }

            fn describe<'e>(
                self,
                _: SqlStr,
            ) -> BoxFuture<'e, Result<sqlx_core::describe::Describe<B>, sqlx::Error>>
            where
                'c: 'e,
            {
                // What sqlx's macros ask at compile time, of a connection of their own.
                let error =
                    sqlx::Error::Protocol("a handle does not describe statements: prepare them".to_owned());
                futures::future::ready(Err(error)).boxed()
            }
        }
    };
}

pub(super) use executor;

executor!(Read);
