//! What goes around a page's view: layouts, the shell, and what Tropos adds to the head.

use leptos::prelude::AnyView;
use std::sync::Arc;
use tropos_core::manifest::{ASSETS_PATH, Manifest};

/// Puts something around a view.
pub(crate) type Layout = Arc<dyn Fn(AnyView) -> AnyView + Send + Sync>;

/// What goes around a page's view.
#[derive(Clone)]
pub(crate) struct Document {
    /// From the innermost to the shell.
    pub(crate) layouts: Arc<[Layout]>,
    pub(crate) assets: Arc<Assets>,
}

impl Document {
    pub(crate) fn around(&self, view: AnyView) -> AnyView {
        self.layouts.iter().fold(view, |inner, layout| layout(inner))
    }
}

/// The files that a build made, and the tags that name them.
#[derive(Debug, Default)]
pub(crate) struct Assets {
    manifest: Option<Manifest>,
    /// The glue and the wasm, where the build has islands.
    islands: Option<(String, String)>,
}

/// The loader of islands, and the client of live pages: built into the server, named by the hash of their content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BuiltIn {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

const ISLANDS: BuiltIn = BuiltIn { name: "islands", text: tropos_live::ISLANDS_JS };
const LIVE: BuiltIn = BuiltIn { name: "live", text: tropos_live::LIVE_JS };

/// All scripts that are built in.
pub(crate) const BUILT_IN: [BuiltIn; 2] = [ISLANDS, LIVE];

impl BuiltIn {
    pub(crate) fn file(&self) -> String {
        format!("tropos-{}.{:016x}.js", self.name, xxhash_rust::xxh3::xxh3_64(self.text.as_bytes()))
    }

    fn url(&self) -> String {
        format!("{ASSETS_PATH}/{}", self.file())
    }
}

impl Assets {
    pub(crate) fn new(manifest: Option<Manifest>) -> Self {
        let islands = manifest.as_ref().and_then(|manifest| {
            let islands = manifest.islands.as_ref()?;
            Some((manifest.url(&islands.script)?, manifest.url(&islands.wasm)?))
        });
        Self { manifest, islands }
    }

    /// The address of a public file; by its plain name where there is no build.
    pub(crate) fn url(&self, name: &str) -> String {
        let name = name.trim_start_matches('/');
        self.manifest.as_ref().and_then(|manifest| manifest.url(name)).unwrap_or_else(|| format!("/{name}"))
    }

    /// What loads the islands of a page that has some. The browser fetches the glue and the wasm at once, instead of one after
    /// the other.
    pub(crate) fn island_tags(&self, nonce: &str) -> String {
        let Some((script, wasm)) = &self.islands else { return String::new() };
        format!(
            r#"<link rel="modulepreload" href="{script}" nonce="{nonce}"><link rel="preload" href="{wasm}" as="fetch" type="application/wasm" crossorigin><script type="module" src="{loader}" data-tropos-islands data-script="{script}" data-wasm="{wasm}" nonce="{nonce}"></script>"#,
            loader = ISLANDS.url(),
        )
    }

    /// What opens a live page's stream.
    pub(crate) fn live_tags(&self, stream: &str, nonce: &str) -> String {
        format!(
            r#"<meta name="tropos-live" content="{stream}"><script type="module" src="{}" nonce="{nonce}"></script>"#,
            LIVE.url()
        )
    }
}
