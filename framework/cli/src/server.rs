//! Asking a server that is running.

use crate::Error;
use std::time::Duration;
use ureq::{Agent, Body, http::Response};

/// Follows no redirects, so that a token goes to nobody else, and leaves every status to the caller.
pub(crate) fn agent(timeout: Duration) -> Agent {
    let config = Agent::config_builder().timeout_global(Some(timeout)).http_status_as_error(false);
    config.max_redirects(0).build().into()
}

/// The address of `path` at a server that may be named without a scheme, as `127.0.0.1:3000`.
pub(crate) fn address(server: &str, path: &str) -> String {
    let server = server.trim_end_matches('/');
    if server.contains("://") { format!("{server}{path}") } else { format!("http://{server}{path}") }
}

/// The body of a 200.
///
/// # Errors
/// Where nobody answered, or with another status, of which `meaning` says what it means.
pub(crate) fn read(
    url: &str,
    sent: Result<Response<Body>, ureq::Error>,
    meaning: fn(u16, &str) -> String,
) -> Result<String, Error> {
    let unreachable = |error: ureq::Error| Error::Unreachable { url: url.to_owned(), why: error.to_string() };
    let mut response = sent.map_err(unreachable)?;
    let status = response.status().as_u16();
    let text = response.body_mut().read_to_string().map_err(unreachable)?;
    match status {
        200 => Ok(text),
        _ => Err(Error::Refused { url: url.to_owned(), status, meaning: meaning(status, &text) }),
    }
}

/// What a server says of itself, in one line.
pub(crate) fn first_line(body: &str) -> String {
    let line = body.lines().next().unwrap_or_default().trim();
    if line.is_empty() { "it gave no reason".into() } else { line.chars().take(300).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_no_scheme_and_may_end_with_a_slash() {
        for (server, expected) in [
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000/x"),
            ("https://shop.example/", "https://shop.example/x"),
            ("127.0.0.1:3000", "http://127.0.0.1:3000/x"),
        ] {
            assert_eq!(address(server, "/x"), expected);
        }
    }
}
