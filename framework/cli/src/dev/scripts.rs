//! The scripts that pages load from the dev server.

/// A script by its name.
pub(crate) fn file(name: &str) -> Option<&'static str> {
    (name == "client.js").then_some("")
}

/// Its content type.
pub(crate) fn kind(name: &str) -> &'static str {
    if name.ends_with(".css") { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" }
}
