//! What a request is known by.

use crate::call::Call;
use std::time::Duration;
use tropos_core::{Ages, Revalidate, Tags};

/// Headers that differ with each trace and change nothing about the answer (W3C Trace Context, W3C Baggage).
const TRACE: [&str; 3] = ["traceparent", "tracestate", "baggage"];

/// A digest over all that the answer depends on. Cryptographic, since secrets are a part of it and others must not be
/// able to make theirs meet it.
pub(crate) fn of_call(call: &Call) -> String {
    over_call(call).finalize().to_hex().to_string()
}

/// A digest over a call and what is declared about its answer. With other ages or tags it is another entry: who asks
/// for younger data, or will invalidate it by another name, must not get what was stored without that in mind.
pub(crate) fn of_entry(call: &Call, ages: Ages, tags: &Tags) -> String {
    let mut hash = over_call(call);
    let millis = |age: Option<Duration>| age.map_or(u128::MAX, |age| age.as_millis()).to_le_bytes();
    let revalidate = match ages.revalidate() {
        Revalidate::Never => None,
        Revalidate::After(age) => Some(age),
    };
    add(&mut hash, &millis(revalidate));
    add(&mut hash, &millis(ages.expire()));
    tags.iter().for_each(|tag| add(&mut hash, tag.as_str().as_bytes()));
    hash.finalize().to_hex().to_string()
}

fn over_call(call: &Call) -> blake3::Hasher {
    let mut hash = blake3::Hasher::new();
    add(&mut hash, call.method.as_str().as_bytes());
    add(&mut hash, call.url.as_str().as_bytes());
    // By name, so that the order in which they were added does not matter; lines of one name keep theirs.
    let mut headers: Vec<_> =
        call.headers.iter().filter(|(name, _)| !TRACE.contains(&name.as_str())).collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    add(&mut hash, &headers.len().to_le_bytes());
    for (name, value) in headers {
        add(&mut hash, name.as_str().as_bytes());
        add(&mut hash, value.as_bytes());
    }
    add(&mut hash, &call.body);
    // What is refused, and whether a redirect is followed, depends on these.
    add(&mut hash, &call.redirects.to_le_bytes());
    add(&mut hash, &call.max_bytes.to_le_bytes());
    hash
}

/// Each part is preceded by its length, so that no two lists of parts run together to the same bytes.
fn add(hash: &mut blake3::Hasher, part: &[u8]) {
    hash.update(&(part.len() as u64).to_le_bytes());
    hash.update(part);
}
