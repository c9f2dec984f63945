//! Files: hashed ones for ever, those with a plain name for a while.

use super::{
    ready::{Lesson, facts_of_build},
    reply,
};
use crate::{
    render::{BUILT_IN, BuiltIn},
    site::Site,
};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header, request::Parts};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tropos_cache::{
    Entry, Meta, Stamp, StoredPage,
    http::{
        Coding, Codings,
        coding::negotiate_lines,
        conditional::{Precondition, Validators, evaluate},
        lifetime::{IMMUTABLE, NO_STORE},
        respond,
        respond::VARY,
    },
};
use tropos_core::{CanonicalPath, Key, Mode, Tags, Tick, manifest::Asset};

/// Files with a plain name, such as `robots.txt`, change at a deployment: asked again after an hour.
const AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// Longer files are read each time: one of them would drive out all others.
const MOST_IN_MEMORY: u64 = 1 << 20;

/// The folder within `dist/public` of files that keep their plain name.
const ROOT: &str = "root";

impl Site {
    /// A hashed file. Only what the manifest lists is ever opened.
    pub(super) async fn asset(&self, file: &str, path: &CanonicalPath, request: &Parts) -> Response<Body> {
        let key = Key::from_stored(&format!("file {file}"));
        let known = match self.files.get(&key) {
            Some(known) => Some(known),
            None => match self.load(file).await {
                Loaded::Small(page) => Some(self.files.insert(&key, page)),
                Loaded::Large(dir, asset) => return self.large(&dir, &asset, request).await,
                Loaded::Nothing => None,
            },
        };
        let Some(known) = known else { return self.not_found() };
        let lesson = Lesson { path, query: "", variants: "", mode: Mode::Ssg };
        self.learn(request, lesson, || self.files.place(&key));
        let answer = respond(&request.method, &request.headers, &known.value, facts_of_build());
        reply::from_cache(answer, &known.value)
    }

    /// A file of the build or a script that is built in, in all encodings.
    async fn load(&self, file: &str) -> Loaded {
        if let Some((_, script)) = self.scripts.iter().find(|(name, _)| name == file) {
            return Loaded::Small(Arc::new(entry(script.clone())));
        }
        let Some(dist) = self.dist.as_ref().or(self.dev_files.as_ref()) else { return Loaded::Nothing };
        let Some(asset) = dist.manifest.assets.values().find(|asset| asset.file == file) else {
            return Loaded::Nothing;
        };
        let public = dist.dir.join("public");
        let length = tokio::fs::metadata(public.join(file)).await.map_or(0, |data| data.len());
        if length > MOST_IN_MEMORY {
            return Loaded::Large(public, asset.clone());
        }
        let Some(plain) = read(&public.join(file)).await else { return Loaded::Nothing };
        let mut encoded = [None, None, None];
        for (coding, slot) in [Coding::Brotli, Coding::Zstd, Coding::Gzip].into_iter().zip(&mut encoded) {
            if codings_of(asset).has(coding) {
                *slot = read(&public.join(format!("{file}.{}", coding.suffix()))).await;
            }
        }
        Loaded::Small(Arc::new(entry(hashed(content_type(file), plain).with_encoded(encoded))))
    }

    /// A file that is too large to be kept in memory.
    async fn large(&self, public: &Path, asset: &Asset, request: &Parts) -> Response<Body> {
        let file = &asset.file;
        let coding = negotiate_lines(request.headers.get_all(header::ACCEPT_ENCODING), codings_of(asset));
        let path = public.join(match coding {
            Coding::Identity => file.clone(),
            coding => format!("{file}.{}", coding.suffix()),
        });
        match read(&path).await {
            Some(bytes) => sent(request, file, bytes, coding, IMMUTABLE),
            None => self.not_found(),
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

/// What there is under a name.
enum Loaded {
    /// A file as it is answered.
    Small(Arc<Entry<StoredPage>>),
    /// A file that is read anew each time, and the folder of it.
    Large(PathBuf, Asset),
    Nothing,
}

async fn read(path: &Path) -> Option<Bytes> {
    match tokio::fs::read(path).await {
        Ok(bytes) => Some(bytes.into()),
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "a file of the build cannot be read; run `cargo tropos build` again");
            None
        }
    }
}

/// A file whose name changes with its content.
fn hashed(kind: Option<HeaderValue>, bytes: Bytes) -> StoredPage {
    let headers = [(header::CACHE_CONTROL, IMMUTABLE)].into_iter();
    StoredPage::new(
        StatusCode::OK,
        headers.chain(kind.map(|kind| (header::CONTENT_TYPE, kind))).collect(),
        bytes,
    )
}

/// Good for as long as the process lives.
fn entry(page: StoredPage) -> Entry<StoredPage> {
    let meta = Meta {
        tags: Tags::new(),
        stamp: Stamp::BUILD,
        started: Tick::default(),
        started_wall: 0,
        revalidate: None,
        expire: None,
        negative: false,
        cost: Duration::ZERO,
    };
    Entry::new(meta, page)
}

/// The scripts that are built into the server, compressed.
pub(crate) fn scripts() -> Vec<(String, StoredPage)> {
    let script = |script: &BuiltIn| {
        let kind = HeaderValue::from_static("text/javascript; charset=utf-8");
        (script.file(), hashed(Some(kind), Bytes::from_static(script.text.as_bytes())).compress())
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
    if let Some(kind) = content_type(name) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    if let Some(encoding) = coding.content_encoding() {
        headers.insert(header::CONTENT_ENCODING, encoding);
    }
    headers.insert(header::CONTENT_LENGTH, length.into());
    reply::without_body_for_head(&request.method, response)
}

/// By the ending of the name.
fn content_type(name: &str) -> Option<HeaderValue> {
    let mime = mime_guess::from_path(name).first_or_octet_stream();
    let text =
        matches!(mime.type_().as_str(), "text") || mime.subtype() == "javascript" || mime.subtype() == "json";
    let mime = if text { format!("{mime}; charset=utf-8") } else { mime.to_string() };
    HeaderValue::from_str(&mime).ok()
}
