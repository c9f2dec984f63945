//! What stands inline in a page, as a content security policy names it.

use ::http::HeaderValue;
use std::{
    any::Any,
    fmt,
    sync::{Arc, OnceLock},
};
use xxhash_rust::xxh3::Xxh3;

/// More hashes of one kind than this were never written.
pub(super) const MOST: usize = 1024;

/// Hashes of the scripts and styles that stand inline in a page, each as a content security policy names it: `sha256-…` (CSP 3
/// §2.3.1). They are made once, when the page is stored, and kept with it, so that every answer from it names the same ones.
#[derive(Default)]
pub struct Inlined {
    scripts: Vec<String>,
    styles: Vec<String>,
    /// The policy that asked first, and the value of its header. A site has one for a page.
    header: OnceLock<(Arc<dyn Any + Send + Sync>, HeaderValue)>,
}

impl Inlined {
    /// Of these scripts and styles.
    pub fn new(scripts: Vec<String>, styles: Vec<String>) -> Self {
        Self { scripts, styles, header: OnceLock::new() }
    }

    /// Of scripts.
    pub fn scripts(&self) -> &[String] {
        &self.scripts
    }

    /// Of styles.
    pub fn styles(&self) -> &[String] {
        &self.styles
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.scripts.is_empty() && self.styles.is_empty()
    }

    /// The header that `policy` is sent as with this page: made once for the policy that is asked for first, which is the
    /// same each time while the page is stored, and each time for another. `None` where `make` gives none.
    pub fn header<P: PartialEq + Send + Sync + 'static>(
        &self,
        policy: &Arc<P>,
        make: impl Fn(&Self) -> Option<HeaderValue>,
    ) -> Option<HeaderValue> {
        if self.header.get().is_none() {
            let made = make(self)?;
            let policy: Arc<dyn Any + Send + Sync> = policy.clone();
            let _ = self.header.set((policy, made));
        }
        let known = self.header.get().filter(|(known, _)| {
            let known = known.downcast_ref::<P>();
            known.is_some_and(|known| std::ptr::eq(known, &**policy) || *known == **policy)
        });
        known.map_or_else(|| make(self), |(_, header)| Some(header.clone()))
    }

    pub(super) fn lists(&self) -> [&[String]; 2] {
        [&self.scripts, &self.styles]
    }

    /// Bytes of memory, about: a handle and a text for each, and all of them once more in the header.
    pub(super) fn weight(&self) -> usize {
        let texts = self.lists().into_iter().flatten();
        size_of::<Self>() + texts.map(|hash| 2 * hash.len() + size_of::<String>()).sum::<usize>()
    }

    pub(super) fn add_to(&self, digest: &mut Xxh3) {
        for list in self.lists() {
            digest.update(&list.len().to_le_bytes());
            for hash in list {
                digest.update(&hash.len().to_le_bytes());
                digest.update(hash.as_bytes());
            }
        }
    }
}

impl fmt::Debug for Inlined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scripts, styles, .. } = self;
        f.debug_struct("Inlined").field("scripts", scripts).field("styles", styles).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_header_is_made_once_for_a_policy_and_never_taken_for_that_of_another() {
        let inlined = Inlined::new(vec!["sha256-a".to_owned()], Vec::new());
        let made = Cell::new(0);
        let ask = |policy: &Arc<&'static str>| {
            let value = inlined.header(policy, |inlined| {
                made.set(made.get() + 1);
                HeaderValue::from_str(&format!("{policy} {}", inlined.scripts().join(" "))).ok()
            });
            value.and_then(|value| value.to_str().map(str::to_owned).ok())
        };
        let (one, same, other) = (Arc::new("one"), Arc::new("one"), Arc::new("other"));
        for policy in [&one, &one, &same] {
            assert_eq!(ask(policy).as_deref(), Some("one sha256-a"));
        }
        assert_eq!(made.get(), 1);
        assert_eq!(ask(&other).as_deref(), Some("other sha256-a"));
        assert_eq!(ask(&one).as_deref(), Some("one sha256-a"));
        assert_eq!(made.get(), 2);
    }

    #[test]
    fn what_cannot_be_made_is_none_and_asked_again() {
        let inlined = Inlined::default();
        assert_eq!(inlined.header(&Arc::new(1), |_| None), None);
        assert!(inlined.header(&Arc::new(1), |_| Some(HeaderValue::from_static("a"))).is_some());
    }
}
