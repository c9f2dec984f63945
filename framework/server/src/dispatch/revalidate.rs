//! `POST /_tropos/revalidate`: invalidation from outside.

use super::reply;
use crate::site::Site;
use axum::body::Body;
use http::{Method, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Limited};
use serde::{Deserialize, Serialize};
use tropos_cache::{Carried, Report, Strength, revalidate};
use tropos_core::Tag;

/// More names than this in one call are refused: a batch that large is a prefix, or a mistake.
const MOST_NAMES: usize = 1_000;

/// A thousand names of the longest kind, and as much again for JSON.
const LONGEST_BODY: usize = 512 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    prefixes: Vec<String>,
    #[serde(default)]
    soft: bool,
    /// Whether to have pages that were hit made again without a visitor.
    #[serde(default)]
    warm: bool,
    /// Whether to say what was hit.
    #[serde(default)]
    report: bool,
}

/// What is answered.
#[derive(Debug, Serialize)]
struct Done<'a> {
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<Hits<'a>>,
}

/// What was hit in the memory of this instance.
#[derive(Debug, Serialize)]
struct Hits<'a> {
    /// Whether everything was counted.
    complete: bool,
    /// As they were given: tags, then paths, then prefixes.
    names: Vec<Hit<'a>>,
}

/// `{"tag":"product-42","pages":3,"data":1}`, with `path` or `prefix` in the place of `tag`.
#[derive(Debug, Serialize)]
struct Hit<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<&'a str>,
    pages: u64,
    data: u64,
}

impl Site {
    pub(super) async fn revalidate(&self, request: &Parts, body: Body) -> Response<Body> {
        let Some(token) = &self.config.revalidate_token else { return self.not_found() };
        if request.method != Method::POST {
            return reply::wrong_method("POST");
        }
        if !knows(request, token) {
            return reply::unauthorized("the token is missing or wrong");
        }
        let body = match Limited::new(body, LONGEST_BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => return reply::plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 512 KiB"),
        };
        let call: Call = match serde_json::from_slice(&body) {
            Ok(call) => call,
            Err(error) => return reply::plain(StatusCode::BAD_REQUEST, &format!("malformed: {error}")),
        };
        if call.tags.len() + call.paths.len() + call.prefixes.len() > MOST_NAMES {
            return reply::plain(
                StatusCode::PAYLOAD_TOO_LARGE,
                "more than 1,000 names; use a prefix, or several calls",
            );
        }
        let tags = match tags_of(&call) {
            Ok(tags) if tags.is_empty() => {
                return reply::plain(
                    StatusCode::BAD_REQUEST,
                    "name at least one of `tags`, `paths` and `prefixes`",
                );
            }
            Ok(tags) => tags,
            Err(problem) => return reply::plain(StatusCode::BAD_REQUEST, &problem),
        };
        let strength = if call.soft { Strength::Soft } else { Strength::Hard };
        match self.engine.invalidate(&tags, strength).await {
            Ok(sequence) => {
                tracing::info!(
                    sequence,
                    names = tags.len(),
                    soft = call.soft,
                    warm = call.warm,
                    "invalidated"
                );
                if call.warm {
                    self.engine.warm(&tags);
                }
                let report = match call.report {
                    true => Some(hits(&call, &self.engine.report(sequence, &tags).await)),
                    false => None,
                };
                reply::json(&Done { sequence, report })
            }
            Err(error) => {
                tracing::error!(%error, "an invalidation failed; nothing has changed");
                reply::plain(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the invalidation could not be kept; nothing has changed",
                )
            }
        }
    }
}

/// The counts beside the names as they were given.
fn hits<'a>(call: &'a Call, report: &Report) -> Hits<'a> {
    let tag = |name: &'a String| Hit { tag: Some(name), path: None, prefix: None, pages: 0, data: 0 };
    let path = |name: &'a String| Hit { path: Some(name), tag: None, ..tag(name) };
    let prefix = |name: &'a String| Hit { prefix: Some(name), tag: None, ..tag(name) };
    let named = call.tags.iter().map(tag).chain(call.paths.iter().map(path));
    let named = named.chain(call.prefixes.iter().map(prefix));
    let counted = |(hit, (_, carried)): (Hit<'a>, &(Tag, Carried))| Hit {
        pages: carried.pages,
        data: carried.data,
        ..hit
    };
    Hits { complete: report.complete, names: named.zip(&report.names).map(counted).collect() }
}

fn tags_of(call: &Call) -> Result<Vec<Tag>, String> {
    let tags = call.tags.iter().map(|name| Tag::named(name).map_err(|error| error.to_string()));
    let paths = call
        .paths
        .iter()
        .map(|path| revalidate::path_tag(path).map_err(|error| format!("`{path}`: {error}")));
    let prefixes = call
        .prefixes
        .iter()
        .map(|path| revalidate::prefix_tag(path).map_err(|error| format!("`{path}`: {error}")));
    tags.chain(paths).chain(prefixes).collect()
}

/// Whether the caller knows the token. The comparison takes the same time however much of a guess is right.
pub(super) fn knows(request: &Parts, token: &str) -> bool {
    let given = request.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, given)) = given else { return false };
    // Hashes first, so that neither length nor content of the token shows in the time that this takes.
    blake3::hash(given.trim().as_bytes()) == blake3::hash(token.as_bytes())
}
