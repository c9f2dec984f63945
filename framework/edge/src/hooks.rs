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
    /// Names of server functions that anybody may call; without effect while nothing is guarded.
    open: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) when: Match,
    pub(crate) hook: Arc<dyn Hook>,
    /// Whether it keeps visitors out.
    guards: bool,
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
        let guards = hook.guards();
        self.entries.push(Entry { when: when.into(), hook: Arc::new(hook), guards });
        self
    }

    /// Adds hooks that are for some requests together. A guard of a group of pages must cover the server functions that the
    /// pages use as well: they have addresses of their own ([`Match::function`]).
    #[must_use]
    pub fn group(mut self, when: impl Into<Match>, hooks: Hooks) -> Self {
        let when = when.into();
        let entries = hooks.entries.into_iter();
        self.entries.extend(entries.map(|entry| Entry { when: when.clone().and(entry.when), ..entry }));
        self.open.extend(hooks.open);
        self
    }

    /// The experiments in which a visitor with these cookies takes part, as [`Hook::experiments`] of all hooks tells; the first
    /// of each name.
    pub fn experiments(&self, cookie: &dyn Fn(&str) -> Option<String>) -> Vec<(String, &'static str)> {
        let mut found: Vec<(String, &'static str)> = Vec::new();
        for (name, variant) in self.entries.iter().flat_map(|entry| entry.hook.experiments(cookie)) {
            if !found.iter().any(|(known, _)| *known == name) {
                found.push((name, variant));
            }
        }
        found
    }

    /// Adds a guard for some pages and for the server functions that they use, by the names in their source, or by the
    /// `endpoint` where they declare one: functions have addresses of their own, and a guard of the pages alone would leave them open.
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
        let covered = functions.into_iter().map(Match::function);
        let when = Match::any([pages.into()].into_iter().chain(covered));
        self.entries.push(Entry { when, hook: Arc::new(guard), guards: true });
        self
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

    /// Whether some hook is for some hosts alone, or for all but some ([`Match::host`]).
    pub fn match_by_host(&self) -> bool {
        self.entries.iter().any(|entry| entry.when.names_host())
    }

    /// Those that may do something for requests of this path, which leads to the page that declares `route`; no more of them than
    /// the first that [may wait](AtPath::may_wait).
    pub fn at_path(&self, path: &CanonicalPath, route: Option<&str>) -> AtPath {
        let mut found = AtPath { places: Vec::new(), waits: false };
        for (place, Entry { when, hook, .. }) in self.entries.iter().enumerate() {
            let covered = when.covers_path(path, route);
            // Where the visitor decides whether it runs, or what it does, the answer is theirs alone although it does nothing.
            let for_all = covered == Some(true) && !hook.depends_on_visitor();
            let idle = for_all && !hook.concerns(path);
            if covered != Some(false) && !idle {
                found.places.push((place, covered == Some(true)));
                if hook.waits() {
                    found.waits = true;
                    break;
                }
            }
        }
        found
    }

    /// What is wrong with a hook or the paths that it is for. To be asked once, at start.
    ///
    /// # Errors
    /// The first problem.
    pub fn check(&self) -> Result<(), Error> {
        for Entry { when, hook, .. } in &self.entries {
            if let Some((pattern, problem)) = when.problem() {
                return Err(Error::Pattern { hook: hook.name().to_owned(), pattern, problem });
            }
            hook.check()?;
        }
        Ok(())
    }

    /// Whether each server function, by its path, is guarded or open, where something is guarded at all. What counts is
    /// whether a guard covers calls of it whatever they carry: a group for some hosts or methods alone is no guard.
    ///
    /// # Errors
    /// [`Error::Functions`] with those that are neither, [`Error::TwoFunctions`] where a name is that of several.
    pub fn check_functions<'p>(&self, paths: impl Iterator<Item = &'p str>) -> Result<(), Error> {
        if !self.entries.iter().any(|entry| entry.guards) {
            return Ok(());
        }
        let paths: Vec<&str> = paths.collect();
        for name in &self.open {
            if let [first, second, ..] =
                *paths.iter().filter(|path| is_function(path, name)).collect::<Vec<_>>()
            {
                let functions = format!("{first}, {second}");
                return Err(Error::TwoFunctions { name: name.clone(), functions });
            }
        }
        let is_open = |path: &str| self.open.iter().any(|name| is_function(path, name));
        let is_guarded = |path: &str| {
            let Ok(path) = CanonicalPath::parse(path) else { return false };
            let mut guards = self.entries.iter().filter(|entry| entry.guards);
            guards.any(|entry| entry.when.covers_path(&path, None) == Some(true))
        };
        let forgotten: Vec<&str> =
            paths.into_iter().filter(|path| !is_open(path) && !is_guarded(path)).collect();
        match forgotten.as_slice() {
            [] => Ok(()),
            forgotten => Err(Error::Functions(forgotten.join(", "))),
        }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// The hooks that may do something for requests of one path.
#[derive(Debug, Clone)]
pub struct AtPath {
    /// Where they stand, and whether the path alone decides that they run.
    places: Vec<(usize, bool)>,
    waits: bool,
}

impl AtPath {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether one of them may [wait](Hook::waits).
    pub fn may_wait(&self) -> bool {
        self.waits
    }

    pub(crate) fn places(&self) -> &[(usize, bool)] {
        &self.places
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries.iter().map(|entry| entry.hook.name())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decision, hook};

    const PATHS: [&str; 3] = ["/api/set_price123", "/api/look456", "/api/look2789"];

    fn guard() -> impl Hook {
        hook("guard", |_, _| Decision::Next)
    }

    fn problem(hooks: &Hooks) -> String {
        hooks.check_functions(PATHS.into_iter()).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_function_is_guarded_only_where_a_guard_covers_every_call_of_it() {
        let named = || Hooks::new().guard(Match::below("/office"), ["set_price"], guard());
        let open = ["/api/look456", "look2"];
        assert_eq!(problem(&named().open(open)), "");
        for not_covered in [
            Hooks::new().group(Match::below("/office"), named()),
            Hooks::new().group(Match::host("admin.shop.example"), named()),
            Hooks::new().group(Match::method("POST"), named()),
        ] {
            let problem = problem(&not_covered.open(open));
            assert!(problem.contains("/api/set_price123") && !problem.contains("look"), "{problem}");
        }
        let api = Match::any([Match::below("/api"), Match::below("/x")]);
        assert_eq!(problem(&Hooks::new().group(api, named()).open(open)), "");
    }

    #[test]
    fn a_name_that_could_be_that_of_two_functions_is_refused() {
        let hooks = Hooks::new().guard(Match::below("/office"), ["set_price"], guard()).open(["look"]);
        let problem = problem(&hooks);
        assert!(problem.contains("/api/look456, /api/look2789"), "{problem}");
    }

    #[test]
    fn nothing_need_be_said_where_nothing_is_guarded() {
        assert_eq!(problem(&Hooks::new().hook(guard())), "");
    }
}
