//! Headers that hold browsers to what a site means to do, and its content security policy.
//!
//! # What the server does with a policy
//!
//! A hook knows nothing of what will stand in the page, so it leaves the policy ([`Edits::csp`]; then
//! [`Passed::csp`](crate::run::Passed)), and the server completes it:
//!
//! 1. It makes a [`nonce`] for each render, streamed or stored, gives it to Leptos (`provide_context(Nonce)`), and writes it on the scripts that it adds itself.
//!    So it does for renders that no policy has been asked for yet, since a stored page outlives the request that made it.
//! 2. A page that is streamed, `server` or `live`, goes out with [`Csp::render`] of [`Inline::Nonce`], set on the answer as [`Csp::header`].
//! 3. A page that is stored is [sealed](seal()) before it is stored or hashed for its `ETag`: its nonce is taken out, and the [`Hashes`] are kept beside it in the entry.
//!    Each answer from it goes out with `render` of [`Inline::Hashes`], 304 too: a browser takes headers of the 304 for those of the page.
//! 4. What is no page goes out with [`Inline::None`]. Answers of hooks already have it.
//!
//! A nonce on a stored page would be the same for all who read it, and so no secret; that is why those have hashes. What a page itself writes
//! inline needs the nonce too: `<script nonce=use_nonce()>`. Attributes (`style="…"`, `onclick="…"`) have none: use a class, or an island.

mod csp;
mod seal;
mod source;

pub use csp::{Csp, Inline};
pub use seal::{Hashes, MOST_HASHES, Sealed, nonce, seal};
pub use source::{Directive, Source};

use super::wrong;
use crate::{Decision, EdgeRequest, Edits, Error, Hook, Platform, Verdict, edits::HeaderSet};
use http::{HeaderName, HeaderValue};
use std::sync::{Arc, OnceLock};

/// Sets headers on every answer.
///
/// | header | value | why |
/// |---|---|---|
/// | `Strict-Transport-Security` | `max-age=31536000` | by `https` alone (RFC 6797 §7.2). Hosts below are left out, since they may not have it yet: [`hsts`](Self::hsts) |
/// | `X-Content-Type-Options` | `nosniff` | a file that a visitor has sent is not run as a script |
/// | `X-Frame-Options` | `SAMEORIGIN` | for browsers that do not know `frame-ancestors` |
/// | `Referrer-Policy` | `strict-origin-when-cross-origin` | paths stay within the site |
/// | `Permissions-Policy` | no camera, microphone, location, payment, USB, topics | what no site of pages needs; one that does says so |
/// | `Cross-Origin-Opener-Policy` | `same-origin-allow-popups` | others cannot hold on to the window; windows for payment and sign-in still work |
/// | `Cross-Origin-Resource-Policy` | `same-site` | others do not embed the site's files; its other hosts do |
/// | `Content-Security-Policy` | `object-src 'none'; base-uri 'self'; frame-ancestors 'self'` | [`Csp::least`] breaks no page; [`Csp::strict`] is the one to work towards |
///
/// ```
/// use tropos_edge::{Hooks, ready::security::{Csp, Directive, SecurityHeaders, Source}};
/// let headers = SecurityHeaders::new()
///     .csp(Csp::strict().also(Directive::ConnectSrc, Source::host("https://errors.example")))
///     .without("cross-origin-resource-policy");
/// let hooks = Hooks::new().hook(headers);
/// # hooks.check().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct SecurityHeaders {
    headers: Vec<(String, String)>,
    hsts: Option<String>,
    /// By `https`, and by `http`.
    csp: Option<(Arc<Csp>, Arc<Csp>)>,
    /// By `https`, and by `http`: written out at the first request. `None` for what no header may be.
    ready: [OnceLock<Option<Arc<HeaderSet>>>; 2],
}

const DEFAULTS: [(&str, &str); 6] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "SAMEORIGIN"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
    (
        "permissions-policy",
        "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
    ),
    ("cross-origin-opener-policy", "same-origin-allow-popups"),
    ("cross-origin-resource-policy", "same-site"),
];

impl SecurityHeaders {
    /// The headers of the table.
    pub fn new() -> Self {
        let headers =
            DEFAULTS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let this = Self { headers, hsts: None, csp: None, ready: Default::default() };
        // A year, as browsers ask of who would be on their lists.
        this.hsts(365, false).csp(Csp::least())
    }

    /// Another value for a header, or another header.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self.ready = Default::default();
        self
    }

    /// Leaves a header out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.ready = Default::default();
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        if name.eq_ignore_ascii_case("strict-transport-security") {
            self.hsts = None;
        }
        if name.eq_ignore_ascii_case("content-security-policy") {
            self.csp = None;
        }
        self
    }

    /// For how many days browsers come by `https` alone, and whether to the hosts below too. 0 takes it back.
    #[must_use]
    pub fn hsts(mut self, days: u32, hosts_below: bool) -> Self {
        let seconds = u64::from(days) * 24 * 60 * 60;
        let below = if hosts_below { "; includeSubDomains" } else { "" };
        self.hsts = Some(format!("max-age={seconds}{below}"));
        self.ready = Default::default();
        self
    }

    /// The policy.
    #[must_use]
    pub fn csp(mut self, policy: Csp) -> Self {
        let over_http = policy.over_http();
        self.csp = Some((Arc::new(policy), Arc::new(over_http)));
        self
    }

    /// All headers but the policy.
    fn all(&self, secure: bool) -> impl Iterator<Item = (&str, &str)> {
        let hsts = self.hsts.as_deref().filter(|_| secure).map(|hsts| ("strict-transport-security", hsts));
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(hsts)
    }

    fn ready(&self, secure: bool) -> Option<&Arc<HeaderSet>> {
        let [by_https, by_http] = &self.ready;
        let ready = if secure { by_https } else { by_http };
        ready.get_or_init(|| HeaderSet::new(self.all(secure)).ok().map(Arc::new)).as_ref()
    }
}

impl Default for SecurityHeaders {
    fn default() -> Self {
        Self::new()
    }
}

impl Hook for SecurityHeaders {
    fn name(&self) -> &str {
        "security headers"
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        _: &'a dyn Platform,
    ) -> Verdict<'a> {
        match self.ready(request.is_secure()) {
            Some(ready) => edits.response_headers().set_all(ready),
            // What is no header fails the hook, as that of any other does.
            None => self
                .all(request.is_secure())
                .for_each(|(name, value)| edits.response_headers().set(name, value)),
        }
        if let Some((secure, plain)) = &self.csp {
            edits.csp(if request.is_secure() { secure.clone() } else { plain.clone() });
        }
        Decision::Next.into()
    }

    fn depends_on_visitor(&self) -> bool {
        false
    }

    fn waits(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Error> {
        for (name, value) in &self.headers {
            if name.parse::<HeaderName>().is_err() || HeaderValue::from_str(value).is_err() {
                return Err(Error::Header { name: name.clone(), value: value.clone() });
            }
            let other = match name.as_str() {
                "content-security-policy" | "content-security-policy-report-only" => "csp",
                "strict-transport-security" => "hsts",
                _ => continue,
            };
            return Err(wrong(
                self.name(),
                format!("`{name}` is set by `.{other}(…)`, which knows when it may go out"),
            ));
        }
        match self.csp.as_ref().and_then(|(policy, _)| policy.problem()) {
            Some(problem) => Err(wrong(self.name(), problem)),
            None => Ok(()),
        }
    }
}
