//! Lets in whom an earlier hook knows, and who may.
//!
//! # Rules
//!
//! - The identity is the typed value that an earlier hook has left: [`Sessions`](super::Sessions), [`Jwt`](super::Jwt), or a
//!   hook of one's own. Nothing that a client sends can become one. A guard that stands before such a hook lets nobody in.
//! - Nobody known: 401, or for pages that a browser goes to, a redirect (303) to the sign-in page, which is told by `next` where
//!   to go on. `POST` and the like, fetches by script and server functions get 401: they would lose their body, or take the
//!   sign-in page for their answer.
//! - Somebody known who may not: 403. Never a redirect: signing in again would change nothing.
//! - [`hidden`](Guard::hidden) answers both with 404.
//! - The sign-in page itself is never guarded by a guard that leads to it.
//! - Whatever is let through is `private` to caches outside; refusals are stored by nobody.
//!
//! A guard for pages must cover the server functions that they use as well: see [`Hooks::guard`](crate::Hooks::guard).

use crate::{
    Decision, EdgeRequest, Edits, Error, Hook, Platform, Redirect, Reply, Verdict, edits::ContextValue,
    ready::next,
};
use http::{Method, StatusCode};
use std::fmt;

/// What has roles.
pub trait Roles {
    /// Whether it has this role.
    fn has_role(&self, role: &str) -> bool;
}

/// A guard for whoever is known as a `T`.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tropos_edge::{Hooks, Match, edits::ContextValue, ready::{Guard, Roles, Secret, Sessions}};
///
/// #[derive(Serialize, Deserialize)]
/// struct User { id: u64, role: String }
/// impl ContextValue for User { const NAME: &'static str = "user"; }
/// impl Roles for User {
///     fn has_role(&self, role: &str) -> bool { self.role == role }
/// }
///
/// let sessions = Sessions::<User>::new("session", [Secret::new("a secret of at least thirty-two bytes")]);
/// let editors = Guard::<User>::role("editor").sign_in("/sign-in");
/// let hooks = Hooks::new().hook(sessions).guard(Match::below("/office"), ["set_price"], editors);
/// # hooks.check()?;
/// # Ok::<(), tropos_edge::Error>(())
/// ```
pub struct Guard<T> {
    name: String,
    allows: Box<dyn Fn(&T) -> bool + Send + Sync>,
    sign_in: Option<String>,
    challenge: String,
    hidden: bool,
}

impl<T: ContextValue> Guard<T> {
    /// Lets in whoever is known.
    pub fn known() -> Self {
        Self::when("known", |_| true)
    }

    /// Lets in those of whom `allows` is true. `name` stands in spans and messages.
    pub fn when(name: &str, allows: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        Self {
            name: format!("guard {name}"),
            allows: Box::new(allows),
            sign_in: None,
            // A 401 must name a scheme (RFC 9110 §15.5.2); browsers ask nobody for a password because of this one.
            challenge: "Bearer realm=\"site\"".to_owned(),
            hidden: false,
        }
    }

    /// Where those who are not known are sent to sign in: a path of this site. [`next::read`] tells it where to go on.
    #[must_use]
    pub fn sign_in(self, path: &str) -> Self {
        Self { sign_in: Some(path.to_owned()), ..self }
    }

    /// What `WWW-Authenticate` says of a 401. `Bearer realm="site"` by default.
    #[must_use]
    pub fn challenge(self, challenge: &str) -> Self {
        Self { challenge: challenge.to_owned(), ..self }
    }

    /// Answers with 404 in place of 401 and 403, so that nobody learns that there is something.
    #[must_use]
    pub fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }

    fn decide_for(&self, request: &EdgeRequest<'_>) -> Result<Decision, Error> {
        let is_sign_in = |path: &String| request.path().as_str() == path;
        if self.sign_in.as_ref().is_some_and(is_sign_in) {
            return Ok(Decision::Next);
        }
        match request.context::<T>() {
            Some(known) if (self.allows)(&known) => Ok(Decision::Next),
            _ if self.hidden => Ok(Reply::text(404, "not found").into()),
            Some(_) => Ok(Reply::text(403, "this is not for you").into()),
            None => self.unknown(request),
        }
    }

    fn unknown(&self, request: &EdgeRequest<'_>) -> Result<Decision, Error> {
        if let Some(path) = self.sign_in.as_ref().filter(|_| is_navigation(request)) {
            let location = format!("{path}?{}", next::query(request));
            return Redirect::new(StatusCode::SEE_OTHER, &location).map(Decision::Redirect);
        }
        Ok(Reply::text(401, "sign in first").header("www-authenticate", &self.challenge).into())
    }
}

impl<T: ContextValue + Roles> Guard<T> {
    /// Lets in those who have a role.
    pub fn role(role: &str) -> Self {
        let wanted = role.to_owned();
        Self::when(role, move |known: &T| known.has_role(&wanted))
    }

    /// Lets in those who have one of these roles.
    pub fn some_role<'r>(roles: impl IntoIterator<Item = &'r str>) -> Self {
        let wanted: Vec<String> = roles.into_iter().map(str::to_owned).collect();
        Self::when(&wanted.join(" or "), move |known: &T| wanted.iter().any(|role| known.has_role(role)))
    }
}

/// Whether a browser goes to a page, in place of a script that fetches. Browsers say so themselves (Fetch Metadata §2.2);
/// older ones by asking for HTML.
fn is_navigation(request: &EdgeRequest<'_>) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let html = || request.header("accept").is_some_and(|accept| accept.contains("text/html"));
    reads && request.header("sec-fetch-mode").map_or_else(html, |mode| mode == "navigate")
}

impl<T: ContextValue> Hook for Guard<T> {
    fn name(&self) -> &str {
        &self.name
    }

    fn guards(&self) -> bool {
        true
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        _: &'a mut Edits,
        _: &'a dyn Platform,
    ) -> Verdict<'a> {
        self.decide_for(request).into()
    }

    fn waits(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = |problem: String| Err(Error::configured(&self.name, problem));
        if let Some(path) = &self.sign_in
            && next::safe(path) != Some(path)
        {
            return wrong(format!(
                "`{path}` is no path of this site to sign in at: write one such as `/sign-in`"
            ));
        }
        if self.sign_in.as_ref().is_some_and(|path| path.contains(['?', '#'])) {
            return wrong(
                "its sign-in path is to have no query and no fragment: `next` is added to it".into(),
            );
        }
        if self.sign_in.is_some() && self.hidden {
            return wrong(
                "what is hidden cannot lead to a sign-in page: leave out `sign_in` or `hidden`".into(),
            );
        }
        if self.challenge.is_empty() || http::HeaderValue::from_str(&self.challenge).is_err() {
            return wrong(
                "its challenge is no value of `WWW-Authenticate`: write a scheme, such as `Bearer`".into(),
            );
        }
        Ok(())
    }
}

impl<T> fmt::Debug for Guard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("name", &self.name)
            .field("sign_in", &self.sign_in)
            .finish_non_exhaustive()
    }
}
