//! Stub.
use crate::{Entry, Error, Value};
use std::{path::Path, sync::Arc};
use tropos_core::Key;

pub(crate) struct Disk {}

impl Disk {
    pub(crate) async fn open(_dir: &Path, _build: &str, _bytes: u64) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {}))
    }
    pub(crate) async fn read(&self, _key: &Key) -> Option<Vec<u8>> {
        None
    }
    pub(crate) fn write<V: Value>(&self, _key: &Key, _entry: &Arc<Entry<V>>) {}
    pub(crate) fn remove(&self, _key: &Key) {}
    pub(crate) async fn flush(&self) {}
    pub(crate) fn dropped(&self) -> u64 {
        0
    }
}
