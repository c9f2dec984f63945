//! What a build leaves for the server, in `dist/manifest.json`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the manifest's form. A server refuses another.
pub const VERSION: u32 = 1;

/// Where hashed files are served: `/_tropos/assets/style.4f2a….css`.
pub const ASSETS_PATH: &str = "/_tropos/assets";

/// The file's name within `dist/`.
pub const FILE: &str = "manifest.json";

/// What a build leaves for the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`VERSION`].
    pub version: u32,
    /// Names the build: a hash over the server binary, the assets and the wasm. Entries of another build are never
    /// read.
    pub build_id: String,
    /// The islands, compiled; `None` where the application has none.
    pub islands: Option<Islands>,
    /// Hashed files by the name that the source code uses, such as `style.css`.
    pub assets: BTreeMap<String, Asset>,
}

/// The compiled islands, by the names under which [`Manifest::assets`] lists their files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Islands {
    /// The glue script, an ES module.
    pub script: String,
    /// The wasm module.
    pub wasm: String,
}

/// A hashed file of `dist/public`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// The file's name within `dist/public`, with its hash. Its encodings lie beside it, with `.br`, `.zst` or `.gz`
    /// added to the name.
    pub file: String,
    /// The length of the plain file, in bytes.
    pub bytes: u64,
    /// The lengths of the encodings that lie beside it, by content coding: `br`, `zstd`, `gzip`.
    #[serde(default)]
    pub encoded: BTreeMap<String, u64>,
}

impl Manifest {
    /// The public address of a file by the name that the source code uses; `None` where the build has no such file.
    pub fn url(&self, name: &str) -> Option<String> {
        self.assets.get(name).map(|asset| format!("{ASSETS_PATH}/{}", asset.file))
    }
}

/// The pages that a build made, in `dist/pages/index.json`. The server binary writes it at build and reads it at start.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageIndex {
    /// [`VERSION`].
    pub version: u32,
    /// For each route by its pattern.
    pub routes: BTreeMap<String, RoutePages>,
}

/// The pages of one route.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutePages {
    /// Canonical paths that were rendered, with the file of each within `dist/pages`.
    pub paths: BTreeMap<String, String>,
    /// Paths that were listed, and answered "not found" or a redirect at build: a server asks again.
    #[serde(default)]
    pub unmade: Vec<String>,
    /// Bytes of HTML, identity coded, in all.
    pub html_bytes: u64,
    /// Bytes of script that the heaviest of these pages loads, compressed by brotli.
    pub script_bytes: u64,
    /// Bytes of wasm that the heaviest of these pages loads, compressed by brotli.
    pub wasm_bytes: u64,
    /// Tags that all its pages carry, for the route table.
    pub tags: Vec<String>,
    /// What its pages weigh, each with the assets that it names; `None` unless the build was asked to measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

/// The heaviest pages of a route, by what is sent where the browser takes brotli.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// HTML alone.
    pub html: Weight,
    /// The stylesheets that the HTML names.
    pub style: Weight,
    /// The scripts that the HTML names.
    pub script: Weight,
    /// The wasm that the HTML names.
    pub wasm: Weight,
    /// All of these together.
    pub page: Weight,
}

/// The heaviest page in one respect.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weight {
    /// Bytes.
    pub bytes: u64,
    /// The page's path; empty where no page weighs anything.
    pub path: String,
}

impl Weight {
    /// Keeps the heavier of the two.
    pub fn raise(&mut self, bytes: u64, path: &str) {
        if bytes > self.bytes {
            *self = Self { bytes, path: path.to_owned() };
        }
    }
}
