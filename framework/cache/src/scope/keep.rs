//! What another crate keeps for the life of a scope.

use super::{MOST_MEMOS, Scope, lock};
use std::{any::TypeId, sync::Arc};

/// Tells what is kept from what [`Scope::once`] remembers.
struct Kept<T>(T);

impl Scope {
    /// One value of a type and name for the life of this scope, made at first use; in an [action](super::Purpose::Action)
    /// too. What is kept must not hold the scope, or neither ever goes.
    ///
    /// `None` where the scope keeps 10,000 things already.
    pub fn keep<T: Send + Sync + 'static>(&self, name: &str, make: impl FnOnce() -> T) -> Option<Arc<T>> {
        let name = (TypeId::of::<Kept<T>>(), name.to_owned());
        let mut memos = lock(&self.0.memos);
        if let Some(kept) = memos.get(&name) {
            return kept.clone().downcast().ok();
        }
        if memos.len() >= MOST_MEMOS {
            return None;
        }
        let kept = Arc::new(make());
        memos.insert(name, kept.clone());
        Some(kept)
    }
}
