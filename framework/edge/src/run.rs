//! One request through all hooks.

use crate::{
    Decision, EdgeRequest, Edits, Error, Event, Hooks, Platform, Redirect, Reply, Variants, Verdict, caught,
    decision::Target,
    edits::{CONTEXT_FULL, EDITS_FULL, HeaderEdit, LONGEST_CONTEXT, MOST_EDITS, Parts},
    event::MOST_EVENTS,
    hooks::{AtPath, Entry},
    ready::security::{Csp, Inline},
    request::Route,
};
use cookie::Cookie;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::{
    borrow::Cow,
    mem::take,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};
use tropos_core::CanonicalPath;

/// A request is rewritten this often at most; then it goes in circles, and is answered with 508 (RFC 5842 §7.2).
pub const MOST_REWRITES: usize = 8;

/// Which page a path leads to.
pub trait Router: Sync {
    /// The page at `path`.
    fn route(&self, path: &CanonicalPath) -> Option<Route<'_>>;
}

impl<F: Fn(&CanonicalPath) -> Option<Route<'static>> + Sync> Router for F {
    fn route(&self, path: &CanonicalPath) -> Option<Route<'_>> {
        self(path)
    }
}

/// What the hooks made of a request.
#[derive(Debug)]
pub enum Outcome {
    /// On to the page, or whatever the path leads to.
    Pass(Passed),
    /// A hook answers, with what the others added to the answer.
    Answer(Answer),
}

/// A request that goes on.
#[derive(Debug, Default)]
pub struct Passed {
    /// The path that it goes on as, where it was rewritten.
    pub path: Option<CanonicalPath>,
    /// The query that it goes on with, where a rewrite gave one.
    pub query: Option<String>,
    /// What to change of its headers.
    pub request: Vec<HeaderEdit>,
    /// What to add to the answer.
    pub response: Additions,
    /// What the entry of a stored page is chosen by.
    pub variants: Variants,
    /// What is left for the page: names and JSON.
    pub context: Vec<(Cow<'static, str>, String)>,
    /// Whether a hook that ran depends on who asks, so that no cache outside may decide in its place.
    pub personal: bool,
    /// What the adapter is to hand on to telemetry, once the answer is under way.
    pub events: Vec<Event>,
    /// The policy that the server completes and sends with a page.
    pub csp: Option<Arc<Csp>>,
}

/// What hooks add to an answer.
#[derive(Debug, Default, Clone)]
pub struct Additions {
    /// Changes of its headers.
    pub headers: Vec<HeaderEdit>,
    /// Cookies, a line each.
    pub cookies: Vec<Cookie<'static>>,
}

impl Additions {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.cookies.is_empty()
    }

    /// Adds them to the headers of an answer. Cookies without a word on it are `HttpOnly`-free, `SameSite=Lax` and of the
    /// whole site; `Secure` where visitors come by `https`.
    pub fn apply(&self, headers: &mut HeaderMap, secure: bool) {
        self.headers.iter().for_each(|edit| edit.apply(headers));
        self.cookie_lines(secure).for_each(|line| {
            headers.append(header::SET_COOKIE, line);
        });
    }

    /// The values of `Set-Cookie`, a line each.
    pub fn cookie_lines(&self, secure: bool) -> impl Iterator<Item = HeaderValue> {
        self.cookies.iter().filter_map(move |cookie| {
            let mut cookie = cookie.clone();
            if cookie.path().is_none() {
                cookie.set_path("/");
            }
            if cookie.same_site().is_none() {
                cookie.set_same_site(cookie::SameSite::Lax);
            }
            if secure && cookie.secure().is_none() {
                cookie.set_secure(true);
            }
            HeaderValue::from_str(&cookie.encoded().to_string()).ok()
        })
    }
}

/// An answer of a hook.
#[derive(Debug)]
pub struct Answer {
    /// The answer itself.
    pub reply: Reply,
    /// What hooks that ran before it add.
    pub response: Additions,
    /// What went wrong, where the answer is an error's.
    pub error: Option<Error>,
    /// The hook that gave it.
    pub hook: String,
    /// What the adapter is to hand on to telemetry. Exposures are not among them: nobody saw the page.
    pub events: Vec<Event>,
}

/// Sends a request through all hooks that are for it.
///
/// After a rewrite all hooks see it anew under its new path. A hook that fails answers with 500: a guard that cannot tell
/// lets nobody in.
pub async fn run<'a>(
    hooks: &Hooks,
    request: EdgeRequest<'a>,
    router: &'a (impl Router + ?Sized),
    platform: &'a dyn Platform,
) -> Outcome {
    // Only who may not wait is left without an outcome.
    drive(hooks, None, request, router, platform).await.unwrap_or_else(|| {
        let error = Error::Hook("a hook gave no decision".to_owned());
        State::default().fail("", error)
    })
}

/// As [`run`], where nothing can be waited for, and what is known of the hooks [at the path](Hooks::at_path). `None` where a hook
/// would have to be waited for: it is not begun, and the request has to be run through all hooks anew.
///
/// Nothing is allocated where nothing is changed.
pub fn run_now<'a>(
    hooks: &Hooks,
    known: &AtPath,
    request: EdgeRequest<'a>,
    router: &'a (impl Router + ?Sized),
    platform: &'a dyn Platform,
) -> Option<Outcome> {
    let running = pin!(drive(hooks, Some(known), request, router, platform));
    match running.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => None,
    }
}

/// Waits where nothing is `known`.
async fn drive<'a>(
    hooks: &Hooks,
    mut known: Option<&AtPath>,
    mut request: EdgeRequest<'a>,
    router: &'a (impl Router + ?Sized),
    platform: &'a dyn Platform,
) -> Option<Outcome> {
    let may_wait = known.is_none();
    request.given.platform = Some(platform);
    let mut state = State::default();
    let mut edits = Edits::default();
    loop {
        request.route = router.route(&request.path);
        let mut target = None;
        let places = known.map_or(hooks.entries().len(), |known| known.places().len());
        for at in 0..places {
            let (place, sure) = match known {
                Some(known) => known.places().get(at).copied()?,
                None => (at, false),
            };
            let Entry { when, hook, .. } = hooks.entries().get(place)?;
            if !sure {
                let for_all = when.covers_for_all(&request);
                // Where a cookie decides whether a hook runs, it decides what the visitor gets, by running or by not running.
                state.personal |= for_all.is_none();
                if !for_all.unwrap_or_else(|| when.covers(&request)) {
                    continue;
                }
            }
            // It might count on being asked once.
            if !may_wait && hook.waits() {
                return None;
            }
            let verdict = match caught::decide(&**hook, &request, &mut edits, platform) {
                Verdict::Now(result) => result,
                Verdict::Later(waiting) if may_wait => caught::decided(waiting).await,
                Verdict::Later(_) => return None,
            };
            state.personal |= hook.depends_on_visitor();
            let decision = match edits.is_empty() {
                true => verdict,
                false => state.take(verdict, &mut edits, &mut request),
            };
            match decision {
                Ok(Decision::Next) => {}
                Ok(Decision::Rewrite(to)) => {
                    target = Some((hook.name(), to));
                    break;
                }
                Ok(Decision::Redirect(to)) => return Some(state.redirect(hook.name(), to, &request)),
                Ok(Decision::Respond(reply)) => return Some(state.answer(hook.name(), reply, None)),
                Err(error) => return Some(state.fail(hook.name(), error)),
            }
        }
        match target {
            None => return Some(Outcome::Pass(state.pass(request))),
            Some((hook, to)) => {
                if let Some(answer) = state.rewrite(hook, to, &mut request) {
                    return Some(answer);
                }
                known = None;
            }
        }
    }
}

/// Puts what is new behind what there is, without a copy where there is nothing.
fn add<T>(to: &mut Vec<T>, new: &mut Vec<T>) {
    if to.is_empty() {
        std::mem::swap(to, new);
    } else {
        to.append(new);
    }
}

/// What has come together so far.
#[derive(Default)]
struct State {
    parts: Parts,
    personal: bool,
    rewrites: usize,
    query: Option<String>,
}

impl State {
    /// Takes over what a hook changed, so that the next one sees it; its edits are empty then.
    fn take(
        &mut self,
        verdict: Result<Decision, Error>,
        edits: &mut Edits,
        request: &mut EdgeRequest<'_>,
    ) -> Result<Decision, Error> {
        let decision = verdict?;
        let parts = edits.parts()?;
        if self.rewrites > 0 {
            // A hook that ran under the first path as well does not add its lines a second time.
            let is_new = |known: &[HeaderEdit], edit: &HeaderEdit| {
                !matches!(edit, HeaderEdit::Append(..)) || !known.contains(edit)
            };
            parts.request.retain(|edit| is_new(&self.parts.request, edit));
            parts.response.retain(|edit| is_new(&self.parts.response, edit));
        }
        // What sets a cookie is for one visitor.
        self.personal |= take(&mut parts.personal) || !parts.cookies.is_empty();
        if self.parts.edits() + parts.edits() > MOST_EDITS {
            return Err(EDITS_FULL);
        }
        request.marks.extend(parts.marks.iter().cloned());
        self.parts.marks.append(&mut parts.marks);
        if !parts.request.is_empty() {
            request.headers.change(|headers| parts.request.iter().for_each(|edit| edit.apply(headers)));
        }
        for cookie in &parts.cookies {
            // In the spelling in which the next request will bring it.
            let spelled = cookie.stripped().encoded().to_string();
            let value = spelled.split_once('=').map(|(_, value)| value.to_owned());
            let value = value.filter(|_| !crate::edits::is_removal(cookie));
            request.set.push((cookie.name().to_owned(), value));
        }
        request.variants.merge(take(&mut parts.variants));
        add(&mut self.parts.request, &mut parts.request);
        add(&mut self.parts.response, &mut parts.response);
        self.parts.cookies.retain(|known| parts.cookies.iter().all(|new| new.name() != known.name()));
        add(&mut self.parts.cookies, &mut parts.cookies);
        if !parts.context.is_empty() {
            self.parts.context.retain(|(known, _)| parts.context.iter().all(|(new, _)| new != known));
            self.parts.context.append(&mut parts.context);
            if self.parts.context_len() > LONGEST_CONTEXT {
                return Err(CONTEXT_FULL);
            }
            request.context.clone_from(&self.parts.context);
        }
        for event in parts.events.drain(..) {
            // After a rewrite all hooks run again; what they show is seen once.
            let known = self.parts.events.iter().any(|known| known.is_as(&event));
            if !known && self.parts.events.len() < MOST_EVENTS {
                self.parts.events.push(event);
            }
        }
        self.parts.csp = parts.csp.take().or(self.parts.csp.take());
        if let Some(geo) = parts.geo.take() {
            request.client.geo = geo;
        }
        Ok(decision)
    }

    /// Goes on as another path; the answer, where that leads in circles.
    fn rewrite(&mut self, hook: &str, to: Target, request: &mut EdgeRequest<'_>) -> Option<Outcome> {
        self.rewrites += 1;
        if self.rewrites > MOST_REWRITES {
            let error = Error::Hook(format!(
                "rewriting goes in circles: {} is rewritten for the ninth time",
                request.path.as_str()
            ));
            let reply = Reply::text(508, "this address leads in circles");
            return Some(take(self).answer(hook, reply, Some(error)));
        }
        let from = std::mem::replace(&mut request.path, Cow::Owned(to.path)).into_owned();
        request.rewritten_from.get_or_insert(from);
        if let Some(query) = to.query {
            request.query = Cow::Owned(query.clone());
            self.query = Some(query);
        }
        None
    }

    fn pass(self, request: EdgeRequest<'_>) -> Passed {
        let Self { parts, personal, query, .. } = self;
        Passed {
            path: request.rewritten_from.is_some().then(|| request.path.into_owned()),
            query,
            request: parts.request,
            response: Additions { headers: parts.response, cookies: parts.cookies },
            variants: request.variants,
            context: parts.context.into_iter().map(|(name, json)| (name.into(), json)).collect(),
            personal,
            events: parts.events,
            csp: parts.csp,
        }
    }

    fn redirect(self, hook: &str, to: Redirect, request: &EdgeRequest<'_>) -> Outcome {
        // Whoever is given a cookie may be let through the next time.
        if self.parts.cookies.is_empty() && !to.other_scheme && leads_to_itself(&to.location, request) {
            let error =
                Error::Hook(format!("the redirect to {} leads back to where it came from", to.location));
            return self.answer(hook, Reply::text(508, "this address leads in circles"), Some(error));
        }
        let reply = Reply::empty(to.status.as_u16()).header("location", &to.location);
        self.answer(hook, reply, None)
    }

    fn fail(self, hook: &str, error: Error) -> Outcome {
        let reply = Reply::text(StatusCode::INTERNAL_SERVER_ERROR.as_u16(), "this went wrong");
        self.answer(hook, reply, Some(error))
    }

    fn answer(self, hook: &str, reply: Reply, error: Option<Error>) -> Outcome {
        let Parts { mut response, cookies, mut events, csp, .. } = self.parts;
        // An answer of a hook is not rendered: it has nothing inline that could be named.
        if let Some(policy) = csp
            && let Ok(value) = HeaderValue::from_str(&policy.render(Inline::None))
        {
            response.push(HeaderEdit::Set(policy.header(), value));
        }
        events.retain(|event| !matches!(event, Event::Exposure(_)));
        let response = Additions { headers: response, cookies };
        Outcome::Answer(Answer { reply, response, error, hook: hook.to_owned(), events })
    }
}

/// Whether a visitor who follows would ask for the same again.
fn leads_to_itself(location: &str, request: &EdgeRequest<'_>) -> bool {
    let scheme = if request.secure { "https://" } else { "http://" };
    let own = location.strip_prefix(scheme).and_then(|rest| rest.strip_prefix(request.host));
    let target = own.unwrap_or(location);
    let target = target.split('#').next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let asked = request.rewritten_from.as_ref().unwrap_or(&request.path);
    let same_path = CanonicalPath::parse(path).is_ok_and(|path| {
        path.as_str() == asked.as_str() && path.has_trailing_slash() == asked.has_trailing_slash()
    });
    same_path && query == request.query && matches!(request.method.as_str(), "GET" | "HEAD")
}
