//! A visitor, who keeps the cookies that they are given.

use crate::{
    check::Problem,
    client::{Client, Request},
    page::Page,
};
use std::collections::BTreeMap;

/// Somebody who keeps the cookies that they are given, and sends them to whichever instance they speak to: all instances
/// are one site.
#[derive(Debug, Clone, Default)]
pub struct Visitor {
    cookies: BTreeMap<String, String>,
}

impl Visitor {
    /// Somebody who was never here.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fetches a path.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn get(&mut self, http: &Client, path: &str) -> Result<Page, Problem> {
        self.send(http, Request::get(path)).await
    }

    /// Sends a form, as a browser without script does. `form` is encoded already.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn post_form(&mut self, http: &Client, path: &str, form: &str) -> Result<Page, Problem> {
        let request = Request::new("POST", path)
            .with("content-type", "application/x-www-form-urlencoded")
            .with("accept", "text/html")
            .body(form);
        self.send(http, request).await
    }

    /// Sends a request with the cookies.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn send(&mut self, http: &Client, request: Request) -> Result<Page, Problem> {
        let request = match self.cookies.is_empty() {
            true => request,
            false => request.with("cookie", &self.header()),
        };
        let page = http.send(&request).await?;
        page.headers_named("set-cookie").for_each(|line| self.take(line));
        Ok(page)
    }

    fn header(&self) -> String {
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    /// A line of `Set-Cookie`. Of its attributes, only those by which a cookie is taken away matter here.
    fn take(&mut self, line: &str) {
        let mut parts = line.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let is_over = parts.any(|part| {
            part.split_once('=').is_some_and(|(attribute, value)| {
                attribute.eq_ignore_ascii_case("max-age") && value.parse::<i64>().is_ok_and(|age| age <= 0)
            })
        });
        match is_over {
            true => self.cookies.remove(name),
            false => self.cookies.insert(name.to_owned(), value.to_owned()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_kept_replaced_and_taken_away() {
        let mut visitor = Visitor::new();
        for (line, kept) in [
            ("a=1; Path=/; HttpOnly", "a=1"),
            ("b=x=y; Max-Age=60", "a=1; b=x=y"),
            ("a=2", "a=2; b=x=y"),
            ("b=; Max-Age=0", "a=2"),
            ("no cookie", "a=2"),
        ] {
            visitor.take(line);
            assert_eq!(visitor.header(), kept, "{line}");
        }
    }
}
