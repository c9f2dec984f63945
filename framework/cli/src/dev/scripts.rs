//! The scripts that pages load from the dev server.

/// A script by its name.
pub(crate) fn file(name: &str) -> Option<&'static str> {
    tropos_dev::client::file(name)
}

/// Its content type.
pub(crate) fn kind(name: &str) -> &'static str {
    if name.ends_with(".css") { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" }
}

/// The tags by which a page of a process of this number loads them; `nonce` as its policy asks for.
pub(crate) fn tags(version: u64, nonce: Option<&str>) -> String {
    let nonce = nonce.map(|nonce| format!(" nonce=\"{nonce}\"")).unwrap_or_default();
    let mut tags =
        format!(r#"<script type="module" src="/_tropos/dev/client.js?v={version}"{nonce}></script>"#);
    if file("toolbar.js").is_some() {
        tags.push_str(&format!(r#"<script type="module" src="/_tropos/dev/toolbar.js"{nonce}></script>"#));
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_loads_the_client_under_its_nonce() {
        assert!(file("client.js").is_some() && file("nothing.js").is_none());
        let tags = tags(7, Some("a1"));
        assert!(
            tags.starts_with(
                r#"<script type="module" src="/_tropos/dev/client.js?v=7" nonce="a1"></script>"#
            )
        );
    }
}
