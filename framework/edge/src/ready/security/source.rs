//! What a policy is about, and where things may come from.

use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

macro_rules! directives {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What a list of sources is for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Directive { $($(#[$doc])* #[serde(rename = $text)] $name),+ }

        impl Directive {
            /// As it is written.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}
directives! {
    /// All that is fetched and has no list of its own.
    DefaultSrc = "default-src",
    /// Scripts, and wasm.
    ScriptSrc = "script-src",
    /// `<script>` elements.
    ScriptSrcElem = "script-src-elem",
    /// Handlers in attributes, such as `onclick`.
    ScriptSrcAttr = "script-src-attr",
    /// Styles.
    StyleSrc = "style-src",
    /// `<style>` and style sheets.
    StyleSrcElem = "style-src-elem",
    /// `style` attributes.
    StyleSrcAttr = "style-src-attr",
    /// Images.
    ImgSrc = "img-src",
    /// Fonts.
    FontSrc = "font-src",
    /// What scripts connect to: `fetch`, event streams, sockets, beacons.
    ConnectSrc = "connect-src",
    /// Audio and video.
    MediaSrc = "media-src",
    /// `<object>` and `<embed>`.
    ObjectSrc = "object-src",
    /// Frames within the page.
    FrameSrc = "frame-src",
    /// Workers.
    WorkerSrc = "worker-src",
    /// The manifest of an application.
    ManifestSrc = "manifest-src",
    /// What `<base>` may name.
    BaseUri = "base-uri",
    /// Where forms may be sent.
    FormAction = "form-action",
    /// Who may frame the page.
    FrameAncestors = "frame-ancestors",
}

/// Where something may come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Source {
    /// `'none'`: from nowhere.
    None,
    /// `'self'`: this origin.
    Own,
    /// A host, with a scheme, a port and a path where they matter: `https://cdn.example`, `*.shop.example`.
    Host(String),
    /// A scheme, such as `data` or `https`.
    Scheme(String),
    /// `'unsafe-inline'`: whatever stands in the page. With it, neither nonces nor hashes are added: they would undo it.
    UnsafeInline,
    /// `'unsafe-eval'`.
    UnsafeEval,
    /// `'wasm-unsafe-eval'`: wasm may be compiled, which islands need.
    WasmEval,
    /// `'strict-dynamic'`: what a script with a nonce loads may run. Not for stored pages: their scripts with `src` have none.
    StrictDynamic,
    /// `'unsafe-hashes'`: hashes count for attributes too.
    UnsafeHashes,
}

impl Source {
    /// A host.
    pub fn host(host: &str) -> Self {
        Self::Host(host.to_owned())
    }

    /// A scheme, without its colon.
    pub fn scheme(scheme: &str) -> Self {
        Self::Scheme(scheme.to_owned())
    }

    pub(super) fn write(&self, out: &mut String) {
        let _ = match self {
            Self::None => write!(out, "'none'"),
            Self::Own => write!(out, "'self'"),
            Self::Host(host) => write!(out, "{host}"),
            Self::Scheme(scheme) => write!(out, "{scheme}:"),
            Self::UnsafeInline => write!(out, "'unsafe-inline'"),
            Self::UnsafeEval => write!(out, "'unsafe-eval'"),
            Self::WasmEval => write!(out, "'wasm-unsafe-eval'"),
            Self::StrictDynamic => write!(out, "'strict-dynamic'"),
            Self::UnsafeHashes => write!(out, "'unsafe-hashes'"),
        };
    }

    pub(super) fn problem(&self) -> Option<String> {
        let (text, fine) = match self {
            Self::Host(host) => (
                host,
                !host.is_empty()
                    && host.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b';' | b',' | b'\'' | b'"')),
            ),
            Self::Scheme(scheme) => {
                let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
                (scheme, scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(plain))
            }
            _ => return None,
        };
        (!fine).then(|| format!("`{text}` is no source: write a host such as `https://cdn.example`, a scheme such as `data`, and keywords by their names"))
    }
}
