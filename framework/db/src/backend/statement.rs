//! A statement with its arguments, that may be run again.

use super::sealed::View;
use sqlx::{Execute, SqlStr};

/// A statement with its arguments.
pub struct Statement<B: View> {
    pub(crate) sql: SqlStr,
    arguments: Option<B::Arguments>,
    persistent: bool,
}

impl<B: View> Statement<B> {
    /// What `query` would send. Nothing is kept prepared where `prepared` is false.
    pub(crate) fn of<'q>(mut query: impl Execute<'q, B>, prepared: bool) -> Result<Self, sqlx::Error> {
        let arguments = query.take_arguments().map_err(sqlx::Error::Encode)?;
        let persistent = prepared && query.persistent();
        Ok(Self { sql: query.sql(), arguments, persistent })
    }

    /// Whether it goes out in one message. Otherwise it is prepared by one and run by the next.
    pub(crate) fn is_one_message(&self) -> bool {
        self.arguments.is_none()
    }

    /// The same once more.
    pub(crate) fn copy(&self) -> Self {
        Self {
            sql: self.sql.clone(),
            arguments: self.arguments.as_ref().map(B::copy),
            persistent: self.persistent,
        }
    }

    pub(crate) fn into_parts(self) -> (SqlStr, bool, Option<B::Arguments>) {
        (self.sql, self.persistent, self.arguments)
    }
}

/// As sqlx's own connections take it.
impl<'q, B: View> Execute<'q, B> for Statement<B> {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&B::Statement> {
        None
    }

    fn take_arguments(&mut self) -> Result<Option<B::Arguments>, sqlx::error::BoxDynError> {
        Ok(self.arguments.take())
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}
