//! One line of a table.

use http::StatusCode;

/// Where visitors of an address go.
///
/// ```
/// use tropos_edge::ready::redirects::Rule;
/// let moved = Rule::new("/shop/:id", "/products/:id").permanent();
/// let apex = Rule::new("/*rest", "https://www.shop.example/*rest").permanent().on_host("shop.example");
/// let shown = Rule::new("/sale", "/campaigns/2026").rewrite();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) host: Option<String>,
    pub(super) kind: Kind,
    pub(super) keep_query: bool,
    pub(super) line: Option<usize>,
}

/// How visitors get there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// They are sent, by this status.
    Redirect(u16),
    /// They keep the address, and are shown what is there.
    Rewrite,
}

impl Rule {
    /// Sends visitors of `from` to `to` for now (307), with their query.
    ///
    /// `from` is a path, or a pattern as routes write them: `/old/:id`, `/old/*rest`. `to` is a path, or an address of another
    /// site, in which the parameters of `from` may stand as whole segments, or as values of its query.
    pub fn new(from: &str, to: &str) -> Self {
        let (from, to) = (from.to_owned(), to.to_owned());
        Self { from, to, host: None, kind: Kind::Redirect(307), keep_query: true, line: None }
    }

    /// For ever (308). Browsers and search engines keep to it, so be sure.
    #[must_use]
    pub fn permanent(self) -> Self {
        self.status(308)
    }

    /// By another status: 301, 302, 303, 307 or 308. Old clients make 301 and 302 of a form's `POST` a `GET`.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.kind = Kind::Redirect(status);
        self
    }

    /// Shows what is at `to`, a path of this site, at the address of `from`.
    #[must_use]
    pub fn rewrite(mut self) -> Self {
        self.kind = Kind::Rewrite;
        self
    }

    /// For requests to this host alone, without its port; `*.shop.example` covers those below it.
    #[must_use]
    pub fn on_host(mut self, host: &str) -> Self {
        self.host = Some(host.to_ascii_lowercase());
        self
    }

    /// Leaves the query of the request behind.
    #[must_use]
    pub fn without_query(mut self) -> Self {
        self.keep_query = false;
        self
    }

    /// Says on which line of a file it stands, for messages.
    #[must_use]
    pub fn line(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }

    /// How messages call it.
    pub(super) fn label(&self) -> String {
        let host = self.host.as_deref().unwrap_or_default();
        match self.line {
            Some(line) => format!("line {line} (`{host}{}`)", self.from),
            None => format!("`{host}{}`", self.from),
        }
    }

    pub(super) fn problem(&self) -> Option<String> {
        let Kind::Redirect(status) = self.kind else { return None };
        let fine = matches!(status, 301 | 302 | 303 | 307 | 308) && StatusCode::from_u16(status).is_ok();
        (!fine).then(|| format!("{} has the status {status}: write 301, 302, 303, 307 or 308", self.label()))
    }
}
