//! Many hooks, in order, each for all requests or some.

use crate::{Error, Hook, Match, matching::is_function};
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
pub struct Hooks {
    entries: Vec<Entry>,
    /// Names of server functions that guards cover.
    guarded: Vec<String>,
    /// Names of server functions that anybody may call; without effect while nothing is guarded.
    open: Vec<String>,
    guards: bool,
}

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
        self.entries.push(Entry { when: when.into(), hook: Arc::new(hook) });
        self
    }

    /// Adds hooks that are for some requests together. A guard of a group of pages must cover the server functions that the
    /// pages use as well: they have addresses of their own ([`Match::function`]).
    #[must_use]
    pub fn group(mut self, when: impl Into<Match>, hooks: Hooks) -> Self {
        let when = when.into();
        let entries = hooks.entries.into_iter();
        self.entries.extend(entries.map(|entry| Entry { when: when.clone().and(entry.when), ..entry }));
        self.guarded.extend(hooks.guarded);
        self.open.extend(hooks.open);
        self.guards |= hooks.guards;
        self
    }

    /// Adds a guard for some pages and for the server functions that they use, by the names in their source: functions
    /// have addresses of their own, and a guard of the pages alone would leave them open.
    ///
    /// An application that guards something must say of each of its server functions whether it is guarded or
    /// [open](Hooks::open); else it does not start.
    #[must_use]
    pub fn guard<'f>(
        mut self,
        pages: impl Into<Match>,
        functions: impl IntoIterator<Item = &'f str>,
        guard: impl Hook + 'static,
    ) -> Self {
        let functions: Vec<String> = functions.into_iter().map(str::to_owned).collect();
        let covered = functions.iter().map(|name| Match::function(name));
        let when = Match::any([pages.into()].into_iter().chain(covered));
        self.guards = true;
        self.guarded.extend(functions);
        self.at(when, guard)
    }

    /// Server functions that anybody may call, although others are guarded.
    #[must_use]
    pub fn open<'f>(mut self, functions: impl IntoIterator<Item = &'f str>) -> Self {
        self.open.extend(functions.into_iter().map(str::to_owned));
        self
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether some hook may be for requests of this path, which leads to the page that declares `route`.
    pub fn may_concern(&self, path: &CanonicalPath, route: Option<&str>) -> bool {
        self.entries.iter().any(|entry| entry.when.covers_path(path, route) != Some(false))
    }

    /// What is wrong with a hook or the paths that it is for. To be asked once, at start.
    ///
    /// # Errors
    /// The first problem.
    pub fn check(&self) -> Result<(), Error> {
        for Entry { when, hook } in &self.entries {
            if let Some((pattern, problem)) = when.problem() {
                return Err(Error::Pattern { hook: hook.name().to_owned(), pattern, problem });
            }
            hook.check()?;
        }
        Ok(())
    }

    /// Whether each server function, by its path, is guarded or open, where something is guarded at all.
    ///
    /// # Errors
    /// [`Error::Functions`] with those that are neither.
    pub fn check_functions<'p>(&self, paths: impl Iterator<Item = &'p str>) -> Result<(), Error> {
        let is_named = |path: &str| self.guarded.iter().chain(&self.open).any(|name| is_function(path, name));
        let forgotten: Vec<&str> = paths.filter(|path| self.guards && !is_named(path)).collect();
        match forgotten.as_slice() {
            [] => Ok(()),
            forgotten => Err(Error::Functions(forgotten.join(", "))),
        }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries.iter().map(|entry| entry.hook.name())).finish()
    }
}
