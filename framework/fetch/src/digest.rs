//! What a request is known by.

use crate::{
    call::Call,
    store::{Declared, Statuses},
};
use std::time::Duration;
use tropos_core::Revalidate;

/// Headers that differ with each trace and change nothing about the answer (W3C Trace Context). Baggage may change it: here it
/// is what the application wrote itself, and a visitor's goes out with no call that is stored.
const TRACE: [&str; 2] = ["traceparent", "tracestate"];

/// A digest over all that the answer depends on. Cryptographic, since secrets are a part of it and others must not be
/// able to make theirs meet it.
pub(crate) fn of_call(call: &Call) -> String {
    over_call(call).finalize().to_hex().to_string()
}

/// A digest over a call and what is declared about its answer. With other ages or tags it is another entry: who asks
/// for younger data, or will invalidate it by another name, must not get what was stored without that in mind.
pub(crate) fn of_entry(call: &Call, declared: &Declared) -> String {
    let Declared { ages, tags, private, statuses, by_origin } = declared;
    let mut hash = over_call(call);
    let millis = |age: Option<Duration>| age.map_or(u128::MAX, |age| age.as_millis()).to_le_bytes();
    let revalidate = match ages.revalidate() {
        Revalidate::Never => None,
        Revalidate::After(age) => Some(age),
    };
    add(&mut hash, &millis(revalidate));
    add(&mut hash, &millis(ages.expire()));
    add(&mut hash, &[u8::from(*private), u8::from(*by_origin)]);
    let statuses = match statuses {
        Statuses::Usual => Vec::new(),
        Statuses::These(statuses) => statuses.iter().flat_map(|status| status.to_le_bytes()).collect(),
    };
    add(&mut hash, &statuses);
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
    // Who may not reach a host must not get what somebody else read from it.
    add(&mut hash, &[u8::from(call.allow_private)]);
    hash
}

/// Each part is preceded by its length, so that no two lists of parts run together to the same bytes.
fn add(hash: &mut blake3::Hasher, part: &[u8]) {
    hash.update(&(part.len() as u64).to_le_bytes());
    hash.update(part);
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderName, HeaderValue, Method};
    use proptest::prelude::*;

    /// A request in parts that are short and alike, so that chance finds those that run together.
    type Parts = (usize, String, Vec<(usize, String)>, String, (usize, usize, bool));

    const METHODS: [Method; 4] = [Method::GET, Method::HEAD, Method::POST, Method::PUT];
    const NAMES: [&str; 6] = ["a", "b", "ab", "baggage", "traceparent", "tracestate"];

    fn parts() -> impl Strategy<Value = Parts> {
        let headers = prop::collection::vec((0..NAMES.len(), "[ab]{0,2}"), 0..3);
        (0..METHODS.len(), "[ab/?=]{0,3}", headers, "[ab]{0,3}", (0..2_usize, 0..2_usize, any::<bool>()))
    }

    fn call((method, path, headers, body, (redirects, max_bytes, allow_private)): &Parts) -> Call {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(NAMES[*name]), HeaderValue::from_str(value).unwrap());
        }
        Call {
            method: METHODS[*method].clone(),
            url: reqwest::Url::parse(&format!("http://a.example/{path}")).unwrap(),
            headers: map,
            body: body.clone().into(),
            timeout: Duration::from_secs(1),
            max_bytes: *max_bytes,
            redirects: *redirects,
            allow_private: *allow_private,
        }
    }

    /// The parts that the answer depends on, in an order of their own.
    fn meant(parts: &Parts) -> Parts {
        let mut parts = parts.clone();
        parts.2.retain(|(name, _)| *name < 4);
        parts.2.sort_by_key(|(name, _)| *name);
        parts
    }

    proptest! {
        /// Cases, 38.
        #[test]
        fn two_calls_share_a_digest_just_where_they_ask_the_same(a in parts(), b in parts()) {
            prop_assert_eq!(meant(&a) == meant(&b), of_call(&call(&a)) == of_call(&call(&b)));
        }

        #[test]
        fn a_call_that_differs_in_one_part_has_another_digest(a in parts(), at in 0..5_usize, b in parts()) {
            let mut other = a.clone();
            match at {
                0 => other.0 = b.0,
                1 => other.1 = b.1,
                2 => other.2 = b.2,
                3 => other.3 = b.3,
                _ => other.4 = b.4,
            }
            prop_assert_eq!(meant(&a) == meant(&other), of_call(&call(&a)) == of_call(&call(&other)));
        }
    }
}
