//! Which other sites' scripts may read answers (Fetch Standard §3.3, "CORS protocol").
//!
//! # Rules
//!
//! - A preflight (`OPTIONS` with `Origin` and `Access-Control-Request-Method`) is answered here: 204 with what is allowed, or 403
//!   where the origin is not. Nothing behind sees it. An `OPTIONS` without these goes on.
//! - Any other request goes on. Its answer carries `Access-Control-Allow-Origin` where its origin is allowed, and nothing where it
//!   is not: the browser then keeps it from the script. This is no guard: the request itself is carried out.
//! - `Vary: Origin` is on every answer, also on those to requests without an origin, so that caches keep them apart. A cache
//!   outside that disregards `Vary` may give a script the answer for another origin, which its browser then refuses.
//! - An origin is compared as a whole, as browsers write it. `null`, which any sandboxed document has, cannot be listed.
//! - Cookies are allowed for listed origins alone, never for `*`: [`check`](Hook::check) refuses both together.

use crate::{Decision, EdgeRequest, Edits, Error, Hook, Platform, Reply, Verdict};
use http::Method;
use std::time::Duration;

/// What other sites' scripts may do.
///
/// ```
/// use tropos_edge::{Hooks, Match, ready::Cors};
/// let cors = Cors::new(["https://app.example", "https://admin.example"])
///     .methods(["GET", "POST", "DELETE"])
///     .headers(["authorization", "content-type"])
///     .credentials();
/// let hooks = Hooks::new().at(Match::below("/api"), cors);
/// # hooks.check()?;
/// # Ok::<(), tropos_edge::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Cors {
    /// `None` stands for all.
    origins: Option<Vec<String>>,
    methods: Vec<String>,
    headers: Vec<String>,
    exposed: Vec<String>,
    credentials: bool,
    private_network: bool,
    max_age: Duration,
}

impl Cors {
    /// For scripts of these origins, each as browsers write it: `https://app.example`, with a port where it is not the scheme's
    /// own, without a path.
    pub fn new<'o>(origins: impl IntoIterator<Item = &'o str>) -> Self {
        Self {
            origins: Some(owned(origins)),
            // What a form could send anyway.
            methods: owned(["GET", "HEAD", "POST"]),
            headers: Vec::new(),
            exposed: Vec::new(),
            credentials: false,
            private_network: false,
            // Long enough for a visit; a change is in force soon.
            max_age: Duration::from_secs(600),
        }
    }

    /// For scripts of all origins, without cookies.
    pub fn any_origin() -> Self {
        Self { origins: None, ..Self::new([]) }
    }

    /// The methods that scripts may use. `GET`, `HEAD` and `POST` by default.
    #[must_use]
    pub fn methods<'m>(self, methods: impl IntoIterator<Item = &'m str>) -> Self {
        Self { methods: owned(methods), ..self }
    }

    /// The headers that scripts may send, beside those that every form could. None by default.
    #[must_use]
    pub fn headers<'h>(self, headers: impl IntoIterator<Item = &'h str>) -> Self {
        Self { headers: owned(headers), ..self }
    }

    /// The headers that scripts may read, beside the seven that they always may. None by default.
    #[must_use]
    pub fn expose<'h>(self, headers: impl IntoIterator<Item = &'h str>) -> Self {
        Self { exposed: owned(headers), ..self }
    }

    /// Lets scripts send the visitor's cookies along, and read what comes back.
    #[must_use]
    pub fn credentials(self) -> Self {
        Self { credentials: true, ..self }
    }

    /// Lets public sites reach this one on a private network (Private Network Access, a draft of the WICG).
    #[must_use]
    pub fn private_network(self) -> Self {
        Self { private_network: true, ..self }
    }

    /// How long browsers may keep the answer to a preflight: 10 minutes by default. Chromium caps it at two hours.
    #[must_use]
    pub fn max_age(self, age: Duration) -> Self {
        Self { max_age: age, ..self }
    }

    /// What `Access-Control-Allow-Origin` says to a request; `None` where its origin is not allowed, or not to be told.
    fn allowed<'r>(&self, request: &'r EdgeRequest<'_>) -> Option<&'r str> {
        let mut sent = request.headers().lines("origin");
        let origin = std::str::from_utf8(sent.next()?).ok()?;
        // Browsers send one.
        if sent.next().is_some() {
            return None;
        }
        match &self.origins {
            None => Some("*"),
            Some(listed) => listed.iter().any(|known| known == origin).then_some(origin),
        }
    }

    fn preflight(&self, request: &EdgeRequest<'_>, edits: &mut Edits) -> Decision {
        let mut headers = edits.response_headers();
        headers.append("vary", "Access-Control-Request-Method, Access-Control-Request-Headers");
        let Some(origin) = self.allowed(request) else {
            return Reply::text(403, "scripts of this origin may not use this").into();
        };
        let list = |names: &[String]| names.join(", ");
        let mut reply = Reply::empty(204)
            .header("access-control-allow-origin", origin)
            .header("access-control-allow-methods", &list(&self.methods))
            .header("access-control-max-age", &self.max_age.as_secs().to_string());
        if !self.headers.is_empty() {
            reply = reply.header("access-control-allow-headers", &list(&self.headers));
        }
        if self.credentials {
            reply = reply.header("access-control-allow-credentials", "true");
        }
        if self.private_network && request.header("access-control-request-private-network") == Some("true") {
            reply = reply.header("access-control-allow-private-network", "true");
        }
        reply.into()
    }
}

fn owned<'t>(texts: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}

impl Hook for Cors {
    fn name(&self) -> &str {
        "cors"
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        edits: &'a mut Edits,
        _: &'a dyn Platform,
    ) -> Verdict<'a> {
        edits.response_headers().append("vary", "Origin");
        let is_preflight = *request.method() == Method::OPTIONS
            && request.headers().get("origin").is_some()
            && request.headers().get("access-control-request-method").is_some();
        if is_preflight {
            return self.preflight(request, edits).into();
        }
        if let Some(origin) = self.allowed(request) {
            let mut headers = edits.response_headers();
            headers.set("access-control-allow-origin", origin);
            if self.credentials {
                headers.set("access-control-allow-credentials", "true");
            }
            if !self.exposed.is_empty() {
                headers.set("access-control-expose-headers", &self.exposed.join(", "));
            }
        }
        Decision::Next.into()
    }

    fn depends_on_visitor(&self) -> bool {
        // By the origin alone, and `Vary` says so.
        false
    }

    fn waits(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = |problem: String| Err(Error::configured("cors", problem));
        if self.origins.is_none() && self.credentials {
            return wrong(
                "cookies are never for all origins: list those that may use them with `Cors::new`".into(),
            );
        }
        if let Some(origin) = self.origins.iter().flatten().find(|origin| !is_origin(origin)) {
            return wrong(format!(
                "`{origin}` is no origin as browsers write it: scheme, host in lower case, and a port that is not the scheme's own, such as `https://app.example`"
            ));
        }
        if self.methods.is_empty() {
            return wrong("it allows no method: leave out `methods`, or name some".into());
        }
        let mut names = self.methods.iter().chain(&self.headers).chain(&self.exposed);
        if let Some(name) = names.find(|name| name.is_empty() || !name.bytes().all(is_token)) {
            let why = if *name == "*" {
                "with cookies it would mean nothing, and `authorization` never"
            } else {
                "it is no token"
            };
            return wrong(format!("`{name}` cannot stand for a method or header: {why}; list them by name"));
        }
        Ok(())
    }
}

/// RFC 9110 §5.6.2, but for `*`, which has another meaning here.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&byte)
}

/// Whether a text is the serialization of an origin (HTML Standard §7.5) of a website.
fn is_origin(text: &str) -> bool {
    let (own_port, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => ("443", rest),
        (_, Some(rest)) => ("80", rest),
        _ => return false,
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let of_host = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || matches!(byte, b'-' | b'.' | b'_' | b':' | b'[' | b']')
    };
    let port_fine =
        port.is_none_or(|port| port != own_port && port.parse::<u16>().is_ok_and(|n| n.to_string() == port));
    !host.is_empty() && host.bytes().all(of_host) && port_fine
}
