//! What has grown since the build before.

use super::before::Before;
use crate::terminal::change;
use std::collections::BTreeMap;
use tropos_core::manifest::{Manifest, PageIndex, RoutePages};

/// Bytes that a route, or all islands, have more than in the build before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Growth {
    /// Of all pages together.
    pub(crate) html: i64,
    /// Of the heaviest page.
    pub(crate) script: i64,
    /// Of the heaviest page.
    pub(crate) wasm: i64,
}

impl Growth {
    /// Whether there is more than before, all in all.
    pub(crate) fn is_more(self) -> bool {
        self.html + self.script + self.wasm > 0
    }

    /// `HTML +1.2 kB, wasm −300 B`; nothing where all is as it was.
    pub(crate) fn text(self) -> Option<String> {
        let parts = [("HTML", self.html), ("script", self.script), ("wasm", self.wasm)];
        let changed = parts.into_iter().filter(|(_, by)| *by != 0);
        let text: Vec<_> = changed.map(|(name, by)| format!("{name} {}", change(by))).collect();
        (!text.is_empty()).then(|| text.join(", "))
    }
}

/// What has changed since another build: routes by pattern, and the islands as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Since {
    pub(crate) routes: BTreeMap<String, Growth>,
    pub(crate) islands: Growth,
}

/// Compares; a route that the build before had not is not in the result.
pub(crate) fn since(before: &Before, index: &PageIndex, manifest: &Manifest) -> Since {
    let routes = index.routes.iter().filter_map(|(pattern, pages)| {
        let old = before.index.routes.get(pattern)?;
        let by = |of: fn(&RoutePages) -> u64| difference(of(pages), of(old));
        let growth = Growth {
            html: by(|pages| pages.html_bytes),
            script: by(|pages| pages.script_bytes),
            wasm: by(|pages| pages.wasm_bytes),
        };
        Some((pattern.clone(), growth))
    });
    let (script, wasm) = sizes(manifest);
    let (old_script, old_wasm) = sizes(&before.manifest);
    let islands =
        Growth { html: 0, script: difference(script, old_script), wasm: difference(wasm, old_wasm) };
    Since { routes: routes.collect(), islands }
}

/// Bytes of the islands' script and wasm, as they are sent.
pub(crate) fn sizes(manifest: &Manifest) -> (u64, u64) {
    let size = |name: &str| {
        let asset = manifest.assets.get(name);
        asset.map_or(0, |asset| asset.encoded.get("br").copied().unwrap_or(asset.bytes))
    };
    manifest.islands.as_ref().map_or((0, 0), |islands| (size(&islands.script), size(&islands.wasm)))
}

fn difference(now: u64, then: u64) -> i64 {
    let length = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    length(now) - length(then)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_named_with_its_sign() {
        for (growth, text, more) in [
            (Growth::default(), None, false),
            (Growth { html: 1_200, script: 0, wasm: -300 }, Some("HTML +1.2 kB, wasm −300 B"), true),
            (Growth { html: -5, script: 5, wasm: 0 }, Some("HTML −5 B, script +5 B"), false),
        ] {
            assert_eq!(growth.text().as_deref(), text);
            assert_eq!(growth.is_more(), more);
        }
    }
}
