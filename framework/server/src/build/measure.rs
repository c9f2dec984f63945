//! What the pages of a build weigh: their HTML, and the assets that they name, as a browser that takes brotli gets them.

use std::collections::{BTreeSet, HashMap};
use tropos_cache::{StoredPage, http::Coding};
use tropos_core::manifest::{ASSETS_PATH, Manifest, Measured};

/// What an asset counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Style,
    Script,
    Wasm,
}

/// The assets that pages may name, by their files.
#[derive(Debug)]
pub(super) struct Scale(HashMap<String, (Kind, u64)>);

/// What one page weighs, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Page {
    html: u64,
    style: u64,
    script: u64,
    wasm: u64,
}

impl Scale {
    /// `scripts`: those that are built in, with their lengths.
    pub(super) fn new(manifest: &Manifest, scripts: impl IntoIterator<Item = (String, u64)>) -> Self {
        let of_build = manifest.assets.values().filter_map(|asset| {
            let kind = match asset.file.rsplit('.').next()? {
                "css" => Kind::Style,
                "js" | "mjs" => Kind::Script,
                "wasm" => Kind::Wasm,
                _ => return None,
            };
            let bytes = asset.encoded.get("br").copied().unwrap_or(asset.bytes);
            Some((asset.file.clone(), (kind, bytes)))
        });
        let built_in = scripts.into_iter().map(|(file, bytes)| (file, (Kind::Script, bytes)));
        Self(of_build.chain(built_in).collect())
    }

    /// Weighs a page; its HTML is compressed for it, by what a server does.
    pub(super) fn weigh(&self, page: StoredPage) -> Page {
        let page = page.compress();
        let named = named(&page.body(Coding::Identity).bytes);
        let mut weight = Page { html: page.body(Coding::Brotli).bytes.len() as u64, ..Page::default() };
        for (kind, bytes) in named.iter().filter_map(|file| self.0.get(file)) {
            *match kind {
                Kind::Style => &mut weight.style,
                Kind::Script => &mut weight.script,
                Kind::Wasm => &mut weight.wasm,
            } += bytes;
        }
        weight
    }
}

impl Page {
    /// Raises what is known of its route.
    pub(super) fn note(self, measured: &mut Measured, path: &str) {
        measured.html.raise(self.html, path);
        measured.style.raise(self.style, path);
        measured.script.raise(self.script, path);
        measured.wasm.raise(self.wasm, path);
        measured.page.raise(self.html + self.style + self.script + self.wasm, path);
    }
}

/// The files below [`ASSETS_PATH`] that a text names, each once.
fn named(html: &[u8]) -> BTreeSet<String> {
    let begin = format!("{ASSETS_PATH}/");
    let ends = |byte: &u8| b"\"'<> )\\?#&\n".contains(byte);
    memchr::memmem::find_iter(html, begin.as_bytes())
        .filter_map(|at| {
            let rest = html.get(at + begin.len()..)?;
            let length = rest.iter().position(ends).unwrap_or(rest.len());
            String::from_utf8(rest.get(..length)?.to_vec()).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, StatusCode, header};
    use std::collections::BTreeMap;
    use tropos_core::manifest::{Asset, VERSION, Weight};

    fn manifest() -> Manifest {
        let asset = |file: &str, bytes, br: Option<u64>| Asset {
            file: file.into(),
            bytes,
            encoded: br.map(|br| ("br".to_owned(), br)).into_iter().collect(),
        };
        let assets = [
            ("a.css", asset("a.1.css", 90, Some(40))),
            ("app.js", asset("app.1.js", 900, Some(400))),
            ("app.wasm", asset("app.1.wasm", 9_000, Some(4_000))),
            ("b.css", asset("deep/b.1.css", 7, None)),
            ("x.png", asset("x.1.png", 5_000, None)),
        ];
        Manifest {
            version: VERSION,
            build_id: String::new(),
            islands: None,
            assets: BTreeMap::from(assets.map(|(name, asset)| (name.to_owned(), asset))),
        }
    }

    #[test]
    fn a_page_weighs_its_html_and_what_it_names_once_and_pictures_not() {
        let scale = Scale::new(&manifest(), [("loader.js".to_owned(), 11)]);
        let html = "<link href=\"/_tropos/assets/a.1.css\"><link href='/_tropos/assets/a.1.css'>\
            <link href=/_tropos/assets/deep/b.1.css><script src=\"/_tropos/assets/loader.js\" \
            data-script=\"/_tropos/assets/app.1.js?x\"></script><img src=\"/_tropos/assets/x.1.png\">";
        let kind = vec![(header::CONTENT_TYPE, HeaderValue::from_static("text/html"))];
        let page = StoredPage::new(StatusCode::OK, kind, html.repeat(20).into());
        let weight = scale.weigh(page);
        assert!(weight.html > 0 && weight.html < html.len() as u64, "by brotli: {}", weight.html);
        assert_eq!((weight.style, weight.script, weight.wasm), (47, 411, 0));
    }

    #[test]
    fn a_route_is_as_heavy_as_its_heaviest_page_in_each_respect() {
        let mut measured = Measured::default();
        Page { html: 10, style: 1, script: 0, wasm: 0 }.note(&mut measured, "/a");
        Page { html: 5, style: 1, script: 100, wasm: 0 }.note(&mut measured, "/b");
        let weight = |bytes, path: &str| Weight { bytes, path: path.into() };
        assert_eq!(measured.html, weight(10, "/a"));
        assert_eq!(measured.script, weight(100, "/b"));
        assert_eq!(measured.page, weight(106, "/b"));
        assert_eq!(measured.wasm, Weight::default());
    }
}
