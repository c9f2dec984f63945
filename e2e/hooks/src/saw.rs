//! What a page saw, as text.

use crate::hooks::{Claims, User};
use axum::http::HeaderMap;
use tropos::{
    Context, Cookies, FromPage, Headers, PageCx, PageError, PageResult, Query, Variant,
    edge::{
        ready::{flags::Enabled, geo::Place, locale::Locale},
        variant::Declared,
    },
    mode::Server,
    prelude::*,
};

/// Headers of the connection rather than of the request; a Worker has another connection than its visitor. Cookies are told apart.
const OF_THE_CONNECTION: [&str; 6] =
    ["host", "connection", "content-length", "transfer-encoding", "accept-encoding", "cookie"];

/// Lines of what a page saw.
#[derive(Default)]
pub struct Saw(Vec<String>);

impl Saw {
    /// A line, unless there is nothing to say.
    pub fn line(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.0.push(format!("{name}: {value}"));
        }
    }

    /// A line for each name of a header, in their order: several lines mean the same as one list (RFC 9110 §5.3), and a Worker is
    /// handed them as one.
    pub fn headers(&mut self, headers: &HeaderMap) {
        let text = |name| {
            let lines = headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
            lines.collect::<Vec<_>>().join(", ")
        };
        let mut lines: Vec<_> = headers
            .keys()
            .filter(|name| !OF_THE_CONNECTION.contains(&name.as_str()))
            .map(|name| format!("header {name}: {}", text(name)))
            .collect();
        lines.sort();
        self.0.extend(lines);
        // Several lines are one, with semicolons (RFC 9113 §8.2.3); a Worker is handed them as one.
        let cookies = headers.get_all("cookie").iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
        self.line("cookie", &cookies.collect::<Vec<_>>().join("; "));
    }

    /// All of it.
    pub fn text(self) -> String {
        self.0.join("\n")
    }

    /// As a page.
    pub fn page(self) -> PageResult {
        view! { <pre id="saw">{self.text()}</pre> }.into_page()
    }
}

/// All that a page of one request may read, but for its path.
pub struct Visit {
    headers: Headers,
    cookies: Cookies,
    query: Vec<(String, String)>,
    user: Option<User>,
    claims: Option<Claims>,
    locale: Option<Locale>,
    place: Option<Place>,
    flags: Option<Enabled>,
}

impl FromPage<Server> for Visit {
    async fn from_page(cx: &PageCx) -> Result<Self, PageError> {
        Ok(Self {
            headers: <Headers as FromPage<Server>>::from_page(cx).await?,
            cookies: <Cookies as FromPage<Server>>::from_page(cx).await?,
            query: <Query<_> as FromPage<Server>>::from_page(cx).await?.0,
            user: <Context<_> as FromPage<Server>>::from_page(cx).await?.0,
            claims: <Context<_> as FromPage<Server>>::from_page(cx).await?.0,
            locale: <Context<_> as FromPage<Server>>::from_page(cx).await?.0,
            place: <Context<_> as FromPage<Server>>::from_page(cx).await?.0,
            flags: <Context<_> as FromPage<Server>>::from_page(cx).await?.0,
        })
    }
}

impl Visit {
    /// As a page that was asked for by this path.
    pub fn page(self, path: &str) -> PageResult {
        let mut saw = Saw::default();
        saw.line("path", path);
        self.query.iter().for_each(|(key, value)| saw.line(&format!("query {key}"), value));
        saw.headers(&self.headers);
        // As the page reads it, beside the line that it came in.
        saw.line("cookie who", &self.cookies.get("who").unwrap_or_default());
        if let Some(User { name, role }) = self.user {
            saw.line("user", &format!("{name}, {role}"));
        }
        saw.line("claims", &self.claims.map(|claims| claims.sub).unwrap_or_default());
        saw.line("locale", &self.locale.map(|locale| locale.0).unwrap_or_default());
        if let Some(Place { country, region, city }) = self.place {
            let parts = [country, region, city].map(|part| part.unwrap_or_else(|| "unknown".to_owned()));
            saw.line("place", &parts.join(", "));
        }
        saw.line("flags", &self.flags.map(|flags| flags.0.join(", ")).unwrap_or_default());
        saw.page()
    }
}

/// A stored page, which saw its path and its variants alone.
pub fn stored<V: Declared>(
    path: &str,
    variant: Option<Variant<V>>,
    spell: impl Fn(V) -> String,
) -> PageResult {
    let mut saw = Saw::default();
    saw.line("path", path);
    saw.line("variant", &variant.map(|Variant(value)| spell(value)).unwrap_or_default());
    saw.page()
}
