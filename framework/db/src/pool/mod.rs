//! How pools and connections are opened.

pub(crate) mod postgres;
pub(crate) mod sqlite;
