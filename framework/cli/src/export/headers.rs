//! The file `_headers`, which Netlify, Cloudflare Pages and their like read; other hosts show it as text, or not at all.

use std::fmt::Write as _;
use tropos_core::{build::ExportedPage, manifest::ASSETS_PATH};

/// Those that the host decides by the file's name, or that belong to a redirect.
const BY_THE_HOST: [&str; 3] = ["content-type", "location", "cache-control"];

/// What hosts are told. Pages get no lifetime: what such hosts do by themselves, asking again at each visit and forgetting
/// all at a deployment, is right for them, and a rule for `/*` would be added to that of the assets.
///
/// `pages`: each with the address that the host shows it under.
pub(super) fn file<'a>(pages: impl IntoIterator<Item = (&'a str, &'a ExportedPage)>) -> String {
    let mut text = format!("{ASSETS_PATH}/*\n  Cache-Control: public, max-age=31536000, immutable\n");
    for (address, page) in pages {
        let own: Vec<_> =
            page.headers.iter().filter(|(name, _)| !BY_THE_HOST.contains(&name.as_str())).collect();
        if own.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{address}");
        for (name, value) in own {
            let _ = writeln!(text, "  {name}: {value}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_kept_for_ever_and_pages_keep_their_own_headers() {
        let page = |path: &str, headers: &[(&str, &str)]| ExportedPage {
            path: path.into(),
            status: 200,
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            file: String::new(),
            hooked: false,
        };
        let pages = [
            page("/a", &[("content-type", "text/html")]),
            page("/b", &[("content-type", "text/html"), ("x-robots-tag", "noindex")]),
        ];
        let text = file([("/a/", &pages[0]), ("/b/", &pages[1])]);
        assert_eq!(
            text,
            "/_tropos/assets/*\n  Cache-Control: public, max-age=31536000, immutable\n/b/\n  x-robots-tag: noindex\n"
        );
    }
}
