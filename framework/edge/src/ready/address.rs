//! One address for each page: no slash at the end, one host, `https`.

use super::{may_be_a_page, wrong};
use crate::{Decision, EdgeRequest, Edits, Error, Hook, Platform, Redirect, Verdict, decision::is_location};
use http::StatusCode;
use tropos_core::path::encode;

/// Sends visitors from other spellings of an address to its one spelling, by one redirect whatever is to mend.
///
/// - A slash at the end is taken away ([`keep_slash`](Self::keep_slash) leaves it, and with it the answer "not found": no page has such an address).
/// - Capitals become small where [`small_letters`](Self::small_letters) says so, in what may be a page: never in server functions, files and Tropos's own
///   paths. ASCII alone, and encoded bytes stay.
/// - Visitors of an [`alias`](Self::alias) go to the [`host`](Self::host). Other hosts are left alone: what a client calls the site never stands in an answer.
/// - With [`https`](Self::https), who came to a trusted proxy by plain `http`, by its `X-Forwarded-Proto` or `Forwarded` (RFC 7239), goes to `https`. Headers of
///   others say nothing.
///
/// 308 keeps method and body (RFC 9110 §15.4.9), so a form that posts to a wrong spelling loses nothing. The target is always a path of
/// one leading slash, or the configured host: `//evil/` never gets here, since no path has an empty segment.
///
/// ```
/// use tropos_edge::{Hooks, ready::address::Addresses};
/// let hooks = Hooks::new()
///     .hook(Addresses::new().small_letters().host("www.shop.example").alias("shop.example").https());
/// # hooks.check().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Addresses {
    keep_slash: bool,
    small: bool,
    except: Vec<String>,
    host: Option<String>,
    aliases: Vec<String>,
    https: bool,
}

impl Addresses {
    /// Takes away slashes at the end, and nothing else.
    pub fn new() -> Self {
        Self {
            keep_slash: false,
            small: false,
            except: Vec::new(),
            host: None,
            aliases: Vec::new(),
            https: false,
        }
    }

    /// Leaves a slash at the end alone.
    #[must_use]
    pub fn keep_slash(mut self) -> Self {
        self.keep_slash = true;
        self
    }

    /// Makes capitals small. Only for sites whose parameters do not tell capitals apart.
    #[must_use]
    pub fn small_letters(mut self) -> Self {
        self.small = true;
        self
    }

    /// Leaves the capitals of a path and of all below it.
    #[must_use]
    pub fn except(mut self, path: &str) -> Self {
        self.except.push(path.to_owned());
        self
    }

    /// The one host of the site, with a port where it has one.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_ascii_lowercase());
        self
    }

    /// Another host of the site, such as the one without `www.`, whose visitors go to [`host`](Self::host). With its port where it has one.
    #[must_use]
    pub fn alias(mut self, host: &str) -> Self {
        self.aliases.push(host.to_ascii_lowercase());
        self
    }

    /// Sends visitors of plain `http` to `https`, at [`host`](Self::host).
    #[must_use]
    pub fn https(mut self) -> Self {
        self.https = true;
        self
    }

    /// Where to, if anywhere.
    fn location(&self, request: &EdgeRequest<'_>) -> Option<String> {
        let path = request.path();
        let small = if self.small { self.in_small_letters(request) } else { None };
        let slash = path.has_trailing_slash();
        let to_host = self.host.as_ref().filter(|_| {
            self.aliases.iter().any(|alias| request.host().eq_ignore_ascii_case(alias))
                || (self.https && is_plain(request))
        });
        let mends_slash = slash && !self.keep_slash;
        if to_host.is_none() && small.is_none() && !mends_slash {
            return None;
        }
        let origin = to_host.map(|host| {
            let scheme = if self.https || request.is_secure() { "https" } else { "http" };
            format!("{scheme}://{host}")
        });
        let end = if slash && self.keep_slash { "/" } else { "" };
        let (query, mark) = (request.query(), if request.query().is_empty() { "" } else { "?" });
        let whole =
            format!("{}{}{end}", origin.unwrap_or_default(), small.as_deref().unwrap_or(path.as_str()));
        // A query of what no address may hold is left behind.
        Some(format!("{whole}{mark}{query}")).filter(|location| is_location(location)).or(Some(whole))
    }

    fn in_small_letters(&self, request: &EdgeRequest<'_>) -> Option<String> {
        let path = request.path();
        let below = |except: &String| {
            path.as_str()
                .strip_prefix(except.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let capital = path.segments().any(|segment| segment.bytes().any(|byte| byte.is_ascii_uppercase()));
        if !capital || !may_be_a_page(path) || self.except.iter().any(below) {
            return None;
        }
        let mut small = String::with_capacity(path.as_str().len());
        for segment in path.segments() {
            small.push('/');
            small.extend(encode(&segment.to_ascii_lowercase()));
        }
        Some(small)
    }
}

impl Default for Addresses {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a trusted proxy says that the visitor came by plain `http`. The first word is of the visitor's own connection; the later ones are of
/// connections between proxies, which may be plain, and would have the visitor go round in circles. A client that makes the first word up keeps
/// itself from being sent, and nobody else.
fn is_plain(request: &EdgeRequest<'_>) -> bool {
    if !request.client().trusted {
        return false;
    }
    let first = |name: &str| request.header(name)?.split(',').next();
    if let Some(proto) = first("x-forwarded-proto") {
        return proto.trim().eq_ignore_ascii_case("http");
    }
    let forwarded = first("forwarded").unwrap_or_default();
    forwarded.split(';').filter_map(|pair| pair.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("proto")
            && value.trim().trim_matches('"').eq_ignore_ascii_case("http")
    })
}

impl Hook for Addresses {
    fn name(&self) -> &str {
        "addresses"
    }

    fn decide<'a>(
        &'a self,
        request: &'a EdgeRequest<'_>,
        _: &'a mut Edits,
        _: &'a dyn Platform,
    ) -> Verdict<'a> {
        // What a hook has rewritten is an address that no visitor sees.
        if request.rewritten_from().is_some() {
            return Decision::Next.into();
        }
        match self.location(request) {
            None => Decision::Next.into(),
            Some(location) => {
                let to = Redirect::new(StatusCode::PERMANENT_REDIRECT, &location);
                let other_scheme = self.https && is_plain(request);
                to.map(|to| Decision::Redirect(Redirect { other_scheme, ..to })).into()
            }
        }
    }

    /// By the address alone. Whoever came by plain `http` is given no page.
    fn depends_on_visitor(&self) -> bool {
        false
    }

    fn waits(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Error> {
        if self.host.is_none() && (self.https || !self.aliases.is_empty()) {
            return Err(wrong(
                self.name(),
                "name the site's own host by `.host(\"www.shop.example\")`: none is taken from requests",
            ));
        }
        for host in self.host.iter().chain(&self.aliases) {
            let plain = host.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']' | b'_')
            });
            if !plain || !is_location(&format!("https://{host}")) {
                return Err(wrong(
                    self.name(),
                    format!("`{host}` is no host: write a name, and a port where it has one"),
                ));
            }
        }
        if let Some(own) = self.aliases.iter().find(|alias| Some(*alias) == self.host.as_ref()) {
            return Err(wrong(self.name(), format!("`{own}` is both the host and an alias")));
        }
        let odd = self.except.iter().find(|path| !path.starts_with('/') || path.ends_with('/'));
        odd.map_or(Ok(()), |odd| {
            Err(wrong(
                self.name(),
                format!("`except(\"{odd}\")`: write a path such as `/files`, without a slash at its end"),
            ))
        })
    }
}
