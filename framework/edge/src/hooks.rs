//! Many hooks, in order, each for all requests or some.

use crate::{Error, Hook, Match};
use std::{fmt, sync::Arc};
use tropos_core::CanonicalPath;

/// The hooks of an application, run in the order in which they were added.
///
/// ```
/// use tropos_edge::{Decision, Hooks, Match, Reply, hook};
/// let hooks = Hooks::new()
///     .hook(hook("for all", |_, edits| { edits.response_headers().set("x-shop", "1"); Decision::Next }))
///     .group(
///         Match::any([Match::below("/office"), Match::function("set_price")]),
///         Hooks::new()
///             .hook(hook("guard", |request, _| match request.cookie("session") {
///                 Some(_) => Decision::Next,
///                 None => Reply::text(401, "sign in first").into(),
///             }))
///             .at(Match::method("POST"), hook("log", |_, _| Decision::Next)),
///     );
/// assert_eq!(hooks.len(), 3);
/// ```
#[derive(Clone, Default)]
pub struct Hooks(Vec<Entry>);

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) when: Match,
    pub(crate) hook: Arc<dyn Hook>,
}

impl Hooks {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a hook for every request.
    #[must_use]
    pub fn hook(self, hook: impl Hook + 'static) -> Self {
        self.at(Match::all(), hook)
    }

    /// Adds a hook for some requests.
    #[must_use]
    pub fn at(mut self, when: impl Into<Match>, hook: impl Hook + 'static) -> Self {
        self.0.push(Entry { when: when.into(), hook: Arc::new(hook) });
        self
    }

    /// Adds hooks that are for some requests together. A guard of a group of pages must cover the server functions that the
    /// pages use as well: they have addresses of their own ([`Match::function`]).
    #[must_use]
    pub fn group(mut self, when: impl Into<Match>, hooks: Hooks) -> Self {
        let when = when.into();
        self.0.extend(hooks.0.into_iter().map(|entry| Entry { when: when.clone().and(entry.when), ..entry }));
        self
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether some hook may be for requests of this path, which leads to the page that declares `route`.
    pub fn may_concern(&self, path: &CanonicalPath, route: Option<&str>) -> bool {
        self.0.iter().any(|entry| entry.when.covers_path(path, route) != Some(false))
    }

    /// What is wrong with a hook or the paths that it is for. To be asked once, at start.
    ///
    /// # Errors
    /// The first problem.
    pub fn check(&self) -> Result<(), Error> {
        for Entry { when, hook } in &self.0 {
            if let Some((pattern, problem)) = when.problem() {
                return Err(Error::Pattern { hook: hook.name().to_owned(), pattern, problem });
            }
            hook.check()?;
        }
        Ok(())
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.0
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|entry| entry.hook.name())).finish()
    }
}
