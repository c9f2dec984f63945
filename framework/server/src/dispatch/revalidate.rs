//! `POST /_tropos/revalidate`: invalidation from outside.

use super::reply;
use crate::site::Site;
use axum::body::Body;
use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use tropos_cache::{Strength, revalidate};
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
    /// Read, since callers may send it; what was invalidated is made again at its next request in either case.
    #[serde(default, rename = "warm")]
    _warm: bool,
}

impl Site {
    pub(super) async fn revalidate(&self, request: &Parts, body: Body) -> Response<Body> {
        let Some(token) = &self.config.revalidate_token else { return self.not_found() };
        if request.method != Method::POST {
            let mut response = reply::plain(StatusCode::METHOD_NOT_ALLOWED, "revalidate by POST");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            return response;
        }
        if !knows(request, token) {
            let mut response = reply::plain(StatusCode::UNAUTHORIZED, "the token is missing or wrong");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return response;
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
                tracing::info!(sequence, names = tags.len(), soft = call.soft, "invalidated");
                json(format!("{{\"sequence\":{sequence}}}"))
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
fn knows(request: &Parts, token: &str) -> bool {
    let given = request.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, given)) = given else { return false };
    // Hashes first, so that neither length nor content of the token shows in the time that this takes.
    blake3::hash(given.trim().as_bytes()) == blake3::hash(token.as_bytes())
}

fn json(text: String) -> Response<Body> {
    let mut response = reply::plain(StatusCode::OK, "");
    *response.body_mut() = Body::from(text);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
