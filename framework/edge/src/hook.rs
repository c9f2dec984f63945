//! One hook.

use crate::{Decision, EdgeRequest, Edits, Error, Platform, platform::BoxFuture};
use tropos_core::CanonicalPath;

/// What stands in front of the cache: sees each request that it is [for](crate::Match), and decides.
pub trait Hook: Send + Sync {
    /// Its name, in spans and messages.
    fn name(&self) -> &str;

    /// Decides. `edits` is empty at first; what earlier hooks changed stands in the request.
    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        platform: &'a dyn Platform,
    ) -> Verdict<'a>;

    /// Whether the decision depends on who asks. Such an answer is `private` to caches outside, which cannot decide; one that
    /// is the same for all, such as a header on every page, leaves pages public.
    fn depends_on_visitor(&self) -> bool {
        true
    }

    /// Whether it keeps visitors out. Where such a hook stands before some pages, it must be said of each server function
    /// whether it is guarded too: see [`Hooks::guard`](crate::Hooks::guard).
    fn guards(&self) -> bool {
        false
    }

    /// Whether a decision may come [later](Verdict::Later). Where all hooks of a page decide at once, its hits are answered
    /// where the request was read; so a hook that never waits says so. One that says it and waits all the same has the
    /// request taken the longer way, where all hooks are asked again: what decides at once must not count on being asked once.
    fn waits(&self) -> bool {
        true
    }

    /// Whether it may do anything for requests of this path, whoever asks, and by whatever host. Asked once for an address that is
    /// learnt: a hook that goes by the path, as a table of redirects does, then costs no hit that it is not for.
    fn concerns(&self, _path: &CanonicalPath) -> bool {
        true
    }

    /// The experiments in which a visitor with these cookies takes part, each with the variant that they see: for who counts
    /// what visitors do elsewhere, in a server function say, where the hook itself does not run. `cookie` gives the value of a
    /// name.
    fn experiments(&self, _cookie: &dyn Fn(&str) -> Option<String>) -> Vec<(String, &'static str)> {
        Vec::new()
    }

    /// What is wrong with how it is configured. Asked once, at start.
    ///
    /// # Errors
    /// What it is.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// A decision, now or later.
pub enum Verdict<'a> {
    /// Made of the request alone.
    Now(Result<Decision, Error>),
    /// Waits for something.
    Later(BoxFuture<'a, Result<Decision, Error>>),
}

impl From<Decision> for Verdict<'_> {
    fn from(decision: Decision) -> Self {
        Self::Now(Ok(decision))
    }
}

impl From<Result<Decision, Error>> for Verdict<'_> {
    fn from(result: Result<Decision, Error>) -> Self {
        Self::Now(result)
    }
}

/// What a function that is a hook may return.
pub trait IntoResult {
    /// As a result.
    fn into_result(self) -> Result<Decision, Error>;
}

impl IntoResult for Decision {
    fn into_result(self) -> Result<Decision, Error> {
        Ok(self)
    }
}

impl IntoResult for Result<Decision, Error> {
    fn into_result(self) -> Result<Decision, Error> {
        self
    }
}

/// A hook of a function that needs the request alone.
///
/// ```
/// use tropos_edge::{Decision, hook};
/// let old = hook("old shop", |request, _| match request.path().as_str() {
///     "/shop.php" => Decision::redirect_permanently("/"),
///     _ => Ok(Decision::Next),
/// });
/// ```
pub fn hook<F, R>(name: &'static str, decide: F) -> impl Hook + use<F, R>
where
    F: for<'r, 'e> Fn(&'r EdgeRequest<'_>, &'e mut Edits) -> R + Send + Sync + 'static,
    R: IntoResult + 'static,
{
    FromFn { name, decide, depends: true }
}

/// As [`hook`], for one whose decisions are the same whoever asks: of the path alone, say.
pub fn hook_for_all<F, R>(name: &'static str, decide: F) -> impl Hook + use<F, R>
where
    F: for<'r, 'e> Fn(&'r EdgeRequest<'_>, &'e mut Edits) -> R + Send + Sync + 'static,
    R: IntoResult + 'static,
{
    FromFn { name, decide, depends: false }
}

struct FromFn<F> {
    name: &'static str,
    decide: F,
    depends: bool,
}

impl<F, R> Hook for FromFn<F>
where
    F: for<'r, 'e> Fn(&'r EdgeRequest<'_>, &'e mut Edits) -> R + Send + Sync,
    R: IntoResult,
{
    fn name(&self) -> &str {
        self.name
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        _: &'a dyn Platform,
    ) -> Verdict<'a> {
        Verdict::Now((self.decide)(request, edits).into_result())
    }

    fn depends_on_visitor(&self) -> bool {
        self.depends
    }

    fn waits(&self) -> bool {
        false
    }
}
