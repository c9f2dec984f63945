//! One request, from JSON to JSON.

use super::{
    Vars,
    routes::{Listed, Routes},
};
use crate::{
    EdgeRequest, Error, Event, Hooks, Platform, Reply,
    ready::security::Csp,
    request::{Client, Geo, Headers, cookie_pairs, internal, page_of_stream},
    run::{Additions, Answer, Outcome, Passed, Router as _, run},
    statement::{Bound, Edit, Keys, Refused, Statement},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use tropos_core::CanonicalPath;

/// The variable of the keys that statements are signed with.
pub const SECRET: &str = "TROPOS_EDGE_SECRET";

/// The variable of the public origin, as the server has it: whether cookies are `Secure` goes by it.
pub const ORIGIN: &str = "TROPOS_ORIGIN";

/// A longer key is not looked up at the edge: a CDN takes addresses of 16 KiB, in which each byte may be three.
const LONGEST_KEY: usize = 2 * 1024;

/// What the Worker is started with.
#[derive(Debug, Default, Deserialize)]
pub struct Settings {
    /// The build's id: what another build has stored is not looked up.
    #[serde(default)]
    pub build: String,
    /// The application's pages.
    pub routes: Vec<Listed>,
    /// The environment.
    #[serde(default)]
    pub vars: Vars,
}

/// A request, as the script hands it over.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The host that the visitor named, with its port.
    pub host: String,
    /// The host that the request to the origin names, where that is another one.
    #[serde(default)]
    pub origin_host: Option<String>,
    /// Whether the visitor came by `https`.
    #[serde(default)]
    pub secure: bool,
    /// The path, as it came.
    pub path: String,
    /// The query, as it came, without its question mark.
    #[serde(default)]
    pub query: String,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The visitor's address, where the platform knows it.
    #[serde(default)]
    pub address: Option<String>,
    /// Whether the headers of the platform in front count.
    #[serde(default)]
    pub trusted: bool,
    /// ISO 3166-1 alpha-2.
    #[serde(default)]
    pub country: Option<String>,
    /// ISO 3166-2 without the country.
    #[serde(default)]
    pub region: Option<String>,
    /// The city's name.
    #[serde(default)]
    pub city: Option<String>,
}

/// What the script is to do.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Decided {
    /// Answer.
    Answer {
        /// The status.
        status: u16,
        /// Names and values, `set-cookie` a line each.
        headers: Vec<(String, String)>,
        /// The body; to be left out for `HEAD`.
        body: String,
        /// What to log.
        log: Vec<String>,
    },
    /// Look in the cache, or ask the origin.
    Pass(Pass),
}

/// How a request goes on.
#[derive(Debug, Default, Serialize)]
pub struct Pass {
    /// The header for the origin. Without it the hooks run there, and nothing is added here.
    pub statement: Option<String>,
    /// Headers of the client that are not to be handed on.
    pub strip: Vec<String>,
    /// Where an answer is looked up that the edge may have; `None` where it can have none.
    pub key: Option<String>,
    /// What the policy adds to the key of an entry; empty where there is none. Not to be read out of `key`, of which clients write a part.
    pub policy: String,
    /// Whether the answer is for this visitor alone, whoever else may be given the same.
    pub personal: bool,
    /// Changes of the answer's headers.
    pub edits: Vec<Edit>,
    /// Lines of `set-cookie`.
    pub cookies: Vec<String>,
    /// What to log.
    pub log: Vec<String>,
}

/// Hooks, and what they need to know of the application.
#[derive(Debug)]
pub struct Worker {
    hooks: Hooks,
    routes: Routes,
    keys: Option<Keys>,
    /// `None`: as the visitor came.
    secure: Option<bool>,
    build: String,
}

/// Where an answer is looked up.
#[derive(Debug)]
struct Place {
    key: String,
    policy: String,
}

impl Worker {
    /// A Worker.
    ///
    /// # Errors
    /// What is wrong with the hooks, the list of routes or the secret.
    pub fn new(hooks: Hooks, settings: Settings) -> Result<Self, Error> {
        hooks.check()?;
        let keys = settings.vars.get(SECRET).filter(|text| !text.is_empty()).map(Keys::parse).transpose()?;
        let secure = settings.vars.get(ORIGIN).map(|origin| origin.starts_with("https:"));
        Ok(Self { hooks, routes: Routes::new(settings.routes)?, keys, secure, build: settings.build })
    }

    /// Sends a request through the hooks.
    pub async fn decide(&self, asked: &Asked, platform: &dyn Platform) -> Decided {
        let Ok(method) = Method::from_bytes(asked.method.as_bytes()) else {
            return plain(StatusCode::BAD_REQUEST, "the method is none");
        };
        let path = match CanonicalPath::parse(&asked.path) {
            Ok(path) => path,
            Err(error) => return plain(StatusCode::BAD_REQUEST, &format!("the path {error}")),
        };
        let mut headers = asked.header_map();
        let strip: Vec<String> = headers
            .keys()
            .map(HeaderName::as_str)
            .filter(|name| internal::is_internal(name))
            .map(Into::into)
            .collect();
        internal::strip(&mut headers);
        // Machines call it, with a token of their own.
        if path.as_str() == "/_tropos/revalidate" {
            return Decided::Pass(Pass { strip, ..Pass::default() });
        }
        let secure = self.secure.unwrap_or(asked.secure);
        let followed = page_of_stream(path.as_str(), &asked.query);
        let outcome = {
            let (path, query) = match &followed {
                Some((path, page)) => (path, page.query().unwrap_or_default()),
                None => (&path, asked.query.as_str()),
            };
            let of = Headers::of(&headers);
            let request = EdgeRequest::new(&method, &asked.host, secure, path, query, of, asked.client());
            run(&self.hooks, request, &self.routes, platform).await
        };
        match outcome {
            Outcome::Answer(answer) => answered(answer, secure),
            Outcome::Pass(passed) => {
                let bound = Bound {
                    build: &self.build,
                    method: method.as_str(),
                    host: asked.origin_host.as_deref().unwrap_or(&asked.host),
                    path: &path,
                    query: &asked.query,
                };
                let statement = self
                    .keys
                    .as_ref()
                    .and_then(|keys| Statement::of(&passed, platform.now())?.sign(keys, bound));
                let pass = match statement {
                    None => Pass::default(),
                    Some(statement) => {
                        let place = followed
                            .is_none()
                            .then(|| self.place(&method, &path, &asked.query, &headers, &passed));
                        let (key, policy) =
                            place.flatten().map(|Place { key, policy }| (key, policy)).unzip();
                        let policy = policy.unwrap_or_default();
                        Pass { statement: Some(statement), key, policy, ..told(&passed, secure) }
                    }
                };
                Decided::Pass(Pass { strip, log: passed.events.iter().map(line).collect(), ..pass })
            }
        }
    }

    /// Where an answer is looked up: by all that the origin's own key can depend on, path, query and variants, and by what else may differ in
    /// the answer, its policy. Too fine is safe, too coarse is not.
    fn place(
        &self,
        method: &Method,
        path: &CanonicalPath,
        query: &str,
        headers: &HeaderMap,
        passed: &Passed,
    ) -> Option<Place> {
        let path = passed.path.as_ref().unwrap_or(path);
        let query = passed.query.as_deref().unwrap_or(query);
        let stored = self.routes.route(path)?.mode.is_stored();
        if !stored || !matches!(*method, Method::GET | Method::HEAD) || sees_drafts(headers) {
            return None;
        }
        let slash = if path.has_trailing_slash() { "/" } else { "" };
        let mut key = format!("{} {}{slash}?{query}#", self.build, path.as_str());
        for (name, value) in passed.variants.iter() {
            // Writing into a String cannot fail.
            let _ = write!(key, "{name}={value},");
        }
        let policy = match &passed.csp {
            Some(policy) => URL_SAFE_NO_PAD.encode(Sha256::digest(serde_json::to_vec(&**policy).ok()?)),
            None => String::new(),
        };
        if !policy.is_empty() {
            let _ = write!(key, "!{policy}");
        }
        (key.len() <= LONGEST_KEY).then_some(Place { key, policy })
    }

    /// Whether a hook is for some hosts alone. The origin must not run it in place of this Worker where it is asked by another host.
    pub fn matches_by_host(&self) -> bool {
        self.hooks.match_by_host()
    }

    /// Which tags are to be forgotten, where a request to `POST /_tropos/purge` is signed.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn purged(&self, asked: &Asked, statement: &str, now: u64) -> Result<Vec<String>, Refused> {
        let keys = self.keys.as_ref().ok_or(Refused::Signature)?;
        let path = CanonicalPath::parse(&asked.path).map_err(|_| Refused::Form)?;
        let Asked { method, host, query, .. } = asked;
        let bound = Bound { build: &self.build, method, host, path: &path, query };
        Ok(Statement::verify(statement.as_bytes(), keys, bound, now)?.purged().to_vec())
    }
}

impl Asked {
    fn header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in &self.headers {
            let known = HeaderName::from_bytes(name.as_bytes()).ok();
            if let Some((name, value)) = known.zip(HeaderValue::from_bytes(value.as_bytes()).ok()) {
                map.append(name, value);
            }
        }
        map
    }

    fn client(&self) -> Client<'static> {
        let geo = Geo {
            country: self.country.clone().map(Into::into),
            region: self.region.clone().map(Into::into),
            city: self.city.clone().map(Into::into),
        };
        let address = self.address.as_deref().and_then(|address| address.trim().parse().ok());
        Client { address, trusted: self.trusted, geo }
    }
}

/// Rather too careful: any cookie with a name like that of drafts counts.
fn sees_drafts(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(cookie_pairs).any(|(name, _)| name.to_ascii_lowercase().contains("draft"))
}

/// What the edge adds to the answer itself.
fn told(passed: &Passed, secure: bool) -> Pass {
    let mut cookies = HeaderMap::new();
    Additions { headers: Vec::new(), cookies: passed.response.cookies.clone() }.apply(&mut cookies, secure);
    // The policy is set behind all edits, as in the server, and it is the origin that sets it.
    let policy = passed.csp.as_deref().map(Csp::header);
    let is_own = |edit: &Edit| policy.as_ref().is_none_or(|policy| edit.name() != policy.as_str());
    Pass {
        personal: passed.personal || !cookies.is_empty(),
        edits: passed.response.headers.iter().filter_map(Edit::of).flatten().filter(is_own).collect(),
        cookies: lines(&cookies).into_iter().map(|(_, line)| line).collect(),
        ..Pass::default()
    }
}

fn answered(answer: Answer, secure: bool) -> Decided {
    let Answer { reply, response, error, hook, events } = answer;
    let mut headers = HeaderMap::new();
    for (name, value) in reply.headers() {
        headers.insert(name.clone(), value.clone());
    }
    response.apply(&mut headers, secure);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let failed = error.map(|error| format!("the hook `{hook}` failed, and with it the request: {error}"));
    Decided::Answer {
        status: reply.status().as_u16(),
        headers: lines(&headers),
        body: String::from_utf8_lossy(reply.body()).into_owned(),
        log: failed.into_iter().chain(events.iter().map(line)).collect(),
    }
}

/// As the server says it.
fn plain(status: StatusCode, text: &str) -> Decided {
    let reply = Reply::text(status.as_u16(), format!("{text}\n"));
    let answer = Answer {
        reply,
        response: Additions::default(),
        error: None,
        hook: String::new(),
        events: Vec::new(),
    };
    answered(answer, false)
}

fn lines(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

/// An event as a line of JSON.
fn line(event: &Event) -> String {
    let json = match event {
        Event::Exposure(exposure) => serde_json::json!({
            "event": "exposure",
            "experiment": &*exposure.experiment,
            "variant": exposure.variant,
            "first": exposure.first,
        }),
        Event::Problem { hook, problem } => {
            serde_json::json!({ "event": "problem", "hook": hook, "problem": problem })
        }
    };
    json.to_string()
}
