//! Files: hashed ones for ever, those with a plain name for a while.

use super::reply;
use crate::{
    render::{BUILT_IN, BuiltIn},
    site::Site,
};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header, request::Parts};
use std::path::PathBuf;
use tropos_cache::{
    StoredPage,
    http::{
        Coding, Codings,
        coding::negotiate_lines,
        conditional::{Precondition, Validators, evaluate},
        lifetime::{IMMUTABLE, NO_STORE},
        respond::VARY,
    },
};
use tropos_core::manifest::Asset;

/// Files with a plain name, such as `robots.txt`, change at a deployment: asked again after an hour.
const AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// The folder within `dist/public` of files that keep their plain name.
const ROOT: &str = "root";

impl Site {
    /// A hashed file. Only what the manifest lists is ever opened.
    pub(super) async fn asset(&self, file: &str, request: &Parts) -> Response<Body> {
        if let Some((_, script)) = self.scripts.iter().find(|(name, _)| name == file) {
            let coding = negotiate_lines(request.headers.get_all(header::ACCEPT_ENCODING), script.codings());
            return sent(request, file, script.body(coding).bytes.clone(), coding, IMMUTABLE);
        }
        let dist = self.dist.as_ref();
        let asset = dist.and_then(|dist| dist.manifest.assets.values().find(|asset| asset.file == file));
        let (Some(dist), Some(asset)) = (dist, asset) else { return self.not_found() };
        let coding = negotiate_lines(request.headers.get_all(header::ACCEPT_ENCODING), codings_of(asset));
        let path = dist.dir.join("public").join(match coding {
            Coding::Identity => file.to_owned(),
            coding => format!("{file}.{}", coding.suffix()),
        });
        match tokio::fs::read(&path).await {
            Ok(bytes) => sent(request, file, bytes.into(), coding, IMMUTABLE),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "a file of the build cannot be read; run `cargo tropos build` again");
                self.not_found()
            }
        }
    }

    /// A file with a plain name: `/favicon.svg`, `/robots.txt`, `/.well-known/…`; in development, any of `public/`.
    pub(super) async fn root_file(&self, path: &str, request: &Parts) -> Option<Response<Body>> {
        let folder: PathBuf = match &self.dist {
            Some(dist) if self.root_files.contains(path) => dist.dir.join("public").join(ROOT),
            Some(_) => return None,
            None => PathBuf::from("public"),
        };
        let name = path.trim_start_matches('/');
        let hidden = |segment: &str| segment.starts_with('.') && segment != ".well-known";
        // A canonical path has no dot segments, so it cannot lead out of the folder.
        if name.is_empty() || name.contains('%') || name.split('/').any(hidden) {
            return None;
        }
        let bytes = tokio::fs::read(folder.join(name)).await.ok()?;
        let caching = if self.dist.is_some() { AN_HOUR } else { NO_STORE };
        Some(sent(request, name, bytes.into(), Coding::Identity, caching))
    }
}

/// The scripts that are built into the server, compressed.
pub(crate) fn scripts() -> Vec<(String, StoredPage)> {
    let script = |script: &BuiltIn| {
        let kind = HeaderValue::from_static("text/javascript; charset=utf-8");
        let text = Bytes::from_static(script.text.as_bytes());
        (script.file(), StoredPage::new(StatusCode::OK, vec![(header::CONTENT_TYPE, kind)], text).compress())
    };
    BUILT_IN.iter().map(script).collect()
}

/// The plain paths of the build's root files.
pub(crate) fn root_files(dist: &crate::Dist) -> std::collections::HashSet<String> {
    let root = dist.dir.join("public").join(ROOT);
    let mut found = std::collections::HashSet::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = file.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(name) = path.strip_prefix(&root).ok().and_then(|name| name.to_str()) {
                found.insert(format!("/{name}"));
            }
        }
    }
    found
}

fn codings_of(asset: &Asset) -> Codings {
    let named = |coding: &Coding| asset.encoded.contains_key(coding.as_str());
    Coding::ALL.into_iter().filter(named).fold(Codings::default(), Codings::with)
}

fn sent(request: &Parts, name: &str, bytes: Bytes, coding: Coding, caching: HeaderValue) -> Response<Body> {
    // Of the encoded bytes, so another for each coding (RFC 9110 §8.8.3.3).
    let etag = format!("\"{:016x}\"", xxhash_rust::xxh3::xxh3_64(&bytes));
    let etag = HeaderValue::from_str(&etag).unwrap_or(HeaderValue::from_static("\"\""));
    let length = bytes.len();
    let precondition = evaluate(&request.headers, Validators { etag: &etag, last_modified: None });
    let known = precondition == Precondition::NotModified;
    let mut response = Response::new(if known { Body::empty() } else { Body::from(bytes) });
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, caching);
    headers.insert(header::VARY, VARY);
    headers.insert(header::ETAG, etag);
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    let mime = mime_guess::from_path(name).first_or_octet_stream();
    let text =
        matches!(mime.type_().as_str(), "text") || mime.subtype() == "javascript" || mime.subtype() == "json";
    let mime = if text { format!("{mime}; charset=utf-8") } else { mime.to_string() };
    if let Ok(mime) = HeaderValue::from_str(&mime) {
        headers.insert(header::CONTENT_TYPE, mime);
    }
    if let Some(encoding) = coding.content_encoding() {
        headers.insert(header::CONTENT_ENCODING, encoding);
    }
    headers.insert(header::CONTENT_LENGTH, length.into());
    reply::without_body_for_head(&request.method, response)
}
