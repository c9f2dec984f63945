//! What an adapter at the edge has decided in place of the hooks here, where it says so and its word is signed.
//!
//! The hooks then do not run again. The answer goes to the edge as that of a public page, with the entry's key and tags, so that the edge
//! may keep it and decide for the next visitor itself; what one visitor alone may have, the edge makes private on its way out.

use crate::{dispatch::guard, site::Site};
use axum::body::Body;
use http::{HeaderName, HeaderValue, Response, header, request::Parts};
use tropos_cache::Meta;
use tropos_core::{CanonicalPath, Key};
use tropos_edge::{
    run::Passed,
    statement::{self, Bound, Refused, Statement},
};

/// Names the entry that an answer is of.
const KEY: HeaderName = HeaderName::from_static("x-tropos-key");
/// Names its tags, as CDNs read them.
const TAGS: HeaderName = HeaderName::from_static("cache-tag");

const CACHE_CONTROL: HeaderName = HeaderName::from_static(statement::CACHE_CONTROL);
const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static(statement::CDN_CACHE_CONTROL);
/// RFC 9213 §2.1.
const CDN: HeaderName = HeaderName::from_static("cdn-cache-control");

/// What of the tags goes into a header, in bytes. CDNs take 16 KiB; a page with more is not kept at the edge, where nobody could take it back.
const MOST_TAGS: usize = 8 * 1024;

/// Marks a request that the edge has decided on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FromEdge;

impl Site {
    /// What the edge decided for a request, if it did. To be asked before internal headers are taken out.
    pub(crate) fn stated(&self, head: &mut Parts) -> Option<Passed> {
        let keys = self.config.edge_keys.as_ref()?;
        let text = head.headers.get(statement::HEADER)?;
        let path = CanonicalPath::parse(head.uri.path()).ok()?;
        let bound = Bound {
            build: self.engine.build_id(),
            method: head.method.as_str(),
            host: guard::host_of(head)?,
            path: &path,
            query: head.uri.query().unwrap_or_default(),
        };
        let now = self.engine.clock().wall();
        // Two statements are none: nobody could say which one counts.
        let is_one = head.headers.get_all(statement::HEADER).iter().nth(1).is_none();
        let stated = match is_one {
            true => Statement::verify(text.as_bytes(), keys, bound, now),
            false => Err(Refused::Form),
        };
        match stated.and_then(Statement::into_passed) {
            Ok(passed) => {
                head.extensions.insert(FromEdge);
                Some(passed)
            }
            Err(refused) => {
                // No warning: any client can send such a header.
                tracing::debug!(
                    path = path.as_str(),
                    "`{}` {refused}; the hooks run here",
                    statement::HEADER
                );
                None
            }
        }
    }
}

/// Whether the edge wants no answer but by its statement: the hooks would see another host here than the visitor's.
pub(crate) fn requires_statement(head: &Parts) -> bool {
    head.headers.contains_key(statement::REQUIRED)
}

/// Tells the edge that its word was taken. Without this the hooks have run here, and have added to the answer what they add: the edge
/// must not do it a second time.
///
/// The answer depends on the statement, which is in no cache's key: what may be said to caches is put by for the edge, and a cache on the
/// way there may keep nothing.
pub(crate) fn acknowledge(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    for (name, told) in [(header::CACHE_CONTROL, CACHE_CONTROL), (CDN, CDN_CACHE_CONTROL)] {
        // Several lines are one list (RFC 9110 §5.3): none of them may be lost, since it may be the one that forbids.
        let lines: Vec<&[u8]> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
        let list = (!lines.is_empty()).then(|| HeaderValue::from_bytes(&lines.join(&b", "[..])).ok());
        // Also of what a page has set under this name.
        headers.remove(&told);
        if let Some(list) = list.flatten() {
            headers.insert(told, list);
        }
        headers.remove(&name);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(statement::HEADER, HeaderValue::from_static("taken"));
}

/// Tells the edge of which entry an answer is, where it is the edge that asks.
pub(crate) fn tell(request: &Parts, key: &Key, meta: &Meta, response: &mut Response<Body>) {
    if request.extensions.get::<FromEdge>().is_none() {
        return;
    }
    let tags = meta.tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>().join(",");
    let (Ok(key), Ok(tags)) = (HeaderValue::from_str(key.as_str()), HeaderValue::from_str(&tags)) else {
        return;
    };
    if tags.len() <= MOST_TAGS {
        response.headers_mut().insert(KEY, key);
        if !tags.is_empty() {
            response.headers_mut().insert(TAGS, tags);
        }
    }
}
