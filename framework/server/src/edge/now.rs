//! Hooks where the request was read, for what is a hit: on the headers as they lie there, without a task.
//!
//! What is added to the answer is written as lines behind a head that is ready, where no line of that has to go for it; else
//! the answer is put together as everywhere. Both say the same.

use super::{Additions, Peer, client, is_private};
use crate::{dispatch::ready::Gate, routing::Table, site::Site};
use http::{HeaderMap, HeaderName, Method, header};
use httparse::Header;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use tropos_cache::{
    StoredPage,
    http::{
        lifetime::CACHING,
        wire::{self, Names},
    },
    page::ReadyHead,
};
use tropos_core::CanonicalPath;
use tropos_edge::{
    EdgeRequest,
    edits::{HeaderEdit, OF_CONNECTION},
    request::{Headers, RawHeader, Route, internal},
    run::{self, Outcome, Passed, Router},
};

/// As many headers are laid out without an allocation. Browsers send some twenty.
const USUAL_HEADERS: usize = 32;

/// A hook that sets one of these has its answer written by hyper.
static CONNECTION: LazyLock<Names> =
    LazyLock::new(|| OF_CONNECTION.into_iter().map(HeaderName::from_static).collect());

/// What a hook says by these does not count where one visitor alone may have the answer.
static CACHES: LazyLock<Names> = LazyLock::new(|| CACHING.into_iter().collect());

/// Headers of a request that decide over an answer from a stored page.
static DECIDING: LazyLock<Names> = LazyLock::new(|| {
    let names = [
        header::ACCEPT_ENCODING,
        header::COOKIE,
        header::IF_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_NONE_MATCH,
        header::IF_RANGE,
        header::IF_UNMODIFIED_SINCE,
        header::RANGE,
    ];
    names.into_iter().collect()
});

/// A request as it was read.
pub(crate) struct Read<'r> {
    pub(crate) without_body: bool,
    pub(crate) host: &'r str,
    pub(crate) target: &'r str,
    pub(crate) headers: &'r [Header<'r>],
    pub(crate) peer: Peer,
}

/// What hooks have made of a request that then took the longer way, which does not ask them again.
#[derive(Clone)]
pub(crate) struct Ran(Arc<Mutex<Option<Outcome>>>);

impl Ran {
    pub(crate) fn new(outcome: Outcome) -> Self {
        Self(Arc::new(Mutex::new(Some(outcome))))
    }

    pub(super) fn take(&self) -> Option<Outcome> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The routes, of which one is known.
struct Routes<'r> {
    gate: &'r Gate,
    table: &'r Table,
}

impl Router for Routes<'_> {
    fn route(&self, path: &CanonicalPath) -> Option<Route<'_>> {
        if !std::ptr::eq(path, &self.gate.path) {
            return self.table.route(path);
        }
        let page = self.gate.page.as_ref()?;
        Some(Route { pattern: page.route.pattern(), mode: page.route.mode() })
    }
}

impl Site {
    /// What the hooks make of a request whose target is known. `None` where one waits after all.
    pub(crate) fn hooks_now(&self, gate: &Gate, read: &Read<'_>) -> Option<Outcome> {
        let seen = read.headers.iter().filter(|line| !internal::is_internal(line.name));
        let seen = seen.map(|line| RawHeader { name: line.name, value: line.value });
        let mut room = [RawHeader { name: "", value: b"" }; USUAL_HEADERS];
        let (many, mut count): (Vec<_>, usize);
        let lines = if read.headers.len() <= USUAL_HEADERS {
            count = 0;
            for (slot, line) in room.iter_mut().zip(seen) {
                *slot = line;
                count += 1;
            }
            room.get(..count).unwrap_or_default()
        } else {
            many = seen.collect();
            many.as_slice()
        };
        let headers = Headers::Raw(lines);
        let client = client::of(Some(read.peer), &headers, &self.config.trusted_proxies);
        let method = if read.without_body { &Method::HEAD } else { &Method::GET };
        let query = read.target.split_once('?').map_or("", |(_, query)| query);
        let request =
            EdgeRequest::new(method, read.host, self.is_secure(), &gate.path, query, headers, client);
        run::run_now(&self.hooks, &gate.hooks, request, &Routes { gate, table: &self.table }, &self.platform)
    }

    /// Puts the head of a hit on `out`, with what hooks add; `false` where that is not said by lines alone.
    pub(crate) fn head_of_passed(
        &self,
        passed: &Passed,
        page: &StoredPage,
        ready: ReadyHead<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let additions = &passed.response;
        let private = is_private(additions, passed.personal);
        // What a hook says of caches has to be taken out again then.
        if private && additions.headers.iter().any(speaks_to_caches) {
            return false;
        }
        if private {
            ready.private().iter().for_each(|part| out.extend_from_slice(part));
        } else {
            out.extend_from_slice(ready.public());
        }
        for (at, edit) in additions.headers.iter().enumerate() {
            let earlier = additions.headers.get(..at).unwrap_or_default();
            let is_there = |name| ready.has(name) || earlier.iter().any(|edit| names(edit, name));
            match edit {
                HeaderEdit::SetAll(set) => {
                    for (name, line) in set.lines().filter(|(name, _)| !is_our_own(name)) {
                        if is_there(name) {
                            return false;
                        }
                        out.extend_from_slice(line);
                    }
                }
                HeaderEdit::Set(name, _) | HeaderEdit::Append(name, _) | HeaderEdit::Remove(name)
                    if is_our_own(name) => {}
                HeaderEdit::Set(name, _) | HeaderEdit::Remove(name) if is_there(name) => return false,
                HeaderEdit::Remove(_) => {}
                HeaderEdit::Set(name, value) | HeaderEdit::Append(name, value) => {
                    wire::line(out, name, value);
                }
            }
        }
        for line in additions.cookie_lines(self.is_secure()) {
            wire::line(out, &header::SET_COOKIE, &line);
        }
        if let Some(policy) = &passed.csp {
            let name = policy.header();
            // It takes the place of one that the page or a hook has set.
            if ready.has(&name) || additions.headers.iter().any(|edit| names(edit, &name)) {
                return false;
            }
            if let Some(value) = self.policies.of_stored(policy, page.inlined()) {
                wire::line(out, &name, &value);
            }
        }
        true
    }

    /// Does to the headers of a hit what hooks left to be done; without those that are on every answer.
    pub(crate) fn finish_passed(&self, passed: &Passed, page: &StoredPage, headers: &mut HeaderMap) {
        self.finish_headers(&passed.response, passed.personal, headers);
        if let Some(policy) = &passed.csp
            && let Some(value) = self.policies.of_stored(policy, page.inlined())
        {
            headers.insert(policy.header(), value);
        }
        headers.remove(header::X_CONTENT_TYPE_OPTIONS);
    }
}

/// Whether it is set on every answer, whatever a hook says (see `Site::handle`).
fn is_our_own(name: &HeaderName) -> bool {
    *name == header::X_CONTENT_TYPE_OPTIONS
}

fn names(edit: &HeaderEdit, asked: &HeaderName) -> bool {
    match edit {
        HeaderEdit::Set(name, _) | HeaderEdit::Append(name, _) | HeaderEdit::Remove(name) => name == asked,
        HeaderEdit::SetAll(set) => set.lines().any(|(name, _)| name == asked),
    }
}

fn speaks_to_caches(edit: &HeaderEdit) -> bool {
    match edit {
        HeaderEdit::Set(name, _) | HeaderEdit::Append(name, _) | HeaderEdit::Remove(name) => CACHES.has(name),
        HeaderEdit::SetAll(set) => set.is_of_caches(),
    }
}

/// Whether hooks say something of the connection itself.
pub(crate) fn touches_connection(additions: &Additions) -> bool {
    additions.headers.iter().any(|edit| match edit {
        HeaderEdit::Set(name, _) | HeaderEdit::Append(name, _) | HeaderEdit::Remove(name) => {
            CONNECTION.has(name)
        }
        HeaderEdit::SetAll(set) => set.is_of_connection(),
    })
}

/// Whether this is said by a header of the connection itself.
pub(crate) fn is_of_connection(name: &HeaderName) -> bool {
    CONNECTION.has(name)
}

/// Whether what hooks changed of the request may change how a stored page answers it.
pub(crate) fn touches_request(passed: &Passed) -> bool {
    let draft = |name: &str| crate::dispatch::ready::is_of_everybody(name.as_bytes());
    passed.response.cookies.iter().any(|cookie| !draft(cookie.name()))
        || passed.request.iter().any(|edit| match edit {
            HeaderEdit::Set(name, _) | HeaderEdit::Append(name, _) | HeaderEdit::Remove(name) => {
                DECIDING.has(name)
            }
            HeaderEdit::SetAll(set) => set.lines().any(|(name, _)| DECIDING.has(name)),
        })
}

/// The target of a rewritten request: of its path, and of the query that it has then.
pub(crate) fn target_of(path: &CanonicalPath, query: &str) -> String {
    let slash = if path.has_trailing_slash() { "/" } else { "" };
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{}{slash}{mark}{query}", path.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_and_the_cache_name_the_same_headers_of_caches() {
        assert_eq!(CACHING.map(|name| name.to_string()), tropos_edge::edits::OF_CACHES);
    }
}
