//! How the origin is asked about a stored answer, and what its word changes (RFC 9111 §4.3, §3.2).

use super::{
    Exchange, NotStored, Rules, Stored, age, directives::Control, fields, freshness, storable,
    vary::Selecting,
};
use ::http::{HeaderMap, HeaderName, header};

/// Puts the stored validators in the place of the client's own (§4.3.1), whose conditions are weighed here once the
/// stored answer is known to be valid. Whether there are any; without them the request stays as it was.
pub fn ask(stored: &Stored, request: &mut HeaderMap) -> bool {
    let validators = [
        (header::IF_NONE_MATCH, stored.headers.get(header::ETAG)),
        (header::IF_MODIFIED_SINCE, stored.headers.get(header::LAST_MODIFIED)),
    ];
    if validators.iter().all(|(_, validator)| validator.is_none()) {
        return false;
    }
    for (name, validator) in validators {
        request.remove(&name);
        if let Some(validator) = validator {
            request.insert(name, validator.clone());
        }
    }
    true
}

/// What a 304, or a 200 to `HEAD`, made of a stored answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freshened {
    /// The answer that goes out now.
    pub stored: Stored,
    /// Whether it may go on being stored.
    pub keep: Result<(), NotStored>,
}

/// Fields that a stored body depends on, so that no 304 changes them (§3.2): what the body is coded in, how long it is,
/// which part it is, and which version.
const OF_THE_BODY: &[&str] = &[
    "content-encoding",
    "content-length",
    "content-range",
    "etag",
    "content-md5",
    "content-digest",
    "repr-digest",
];

/// The stored answer, found valid by a 304 with these fields (§4.3.3, §4.3.4).
///
/// A 304 that names another strong entity tag speaks of another version, so none of its fields is taken over (§4.3.4);
/// as the answer to the one validator that was sent, it still says that the stored answer is valid, so the age starts
/// anew (§4.2).
pub fn freshen(
    stored: &Stored,
    request: &HeaderMap,
    not_modified: &HeaderMap,
    exchange: &Exchange,
    rules: &Rules,
) -> Freshened {
    let is_of_another = not_modified.get(header::ETAG).is_some_and(|tag| {
        !tag.as_bytes().starts_with(b"W/") && stored.headers.get(header::ETAG) != Some(tag)
    });
    let mut headers = stored.headers.clone();
    if !is_of_another {
        update(&mut headers, not_modified, rules);
    }
    rebuilt(stored, request, headers, age::initial(not_modified, exchange), exchange, rules)
}

/// The stored answer, brought up to date by a 200 to `HEAD`; `None` where that is of another version, and the stored
/// answer is to be taken for stale (§4.3.5).
pub fn update_by_head(
    stored: &Stored,
    request: &HeaderMap,
    head: &HeaderMap,
    exchange: &Exchange,
    rules: &Rules,
) -> Option<Freshened> {
    let same = |name: &HeaderName| match (stored.headers.get(name), head.get(name)) {
        (Some(known), Some(now)) => known == now,
        _ => true,
    };
    if ![header::ETAG, header::LAST_MODIFIED, header::CONTENT_LENGTH].iter().all(same) {
        return None;
    }
    let mut headers = stored.headers.clone();
    update(&mut headers, head, rules);
    Some(rebuilt(stored, request, headers, age::initial(head, exchange), exchange, rules))
}

/// §3.2: each field of the newer answer takes the place of the stored ones of that name.
fn update(headers: &mut HeaderMap, newer: &HeaderMap, rules: &Rules) {
    let mut newer = newer.clone();
    let control = Control::of_response(&newer, rules);
    fields::strip_not_stored(&mut newer, &control);
    for name in newer.keys().filter(|name| !OF_THE_BODY.contains(&name.as_str())) {
        headers.remove(name);
        newer.get_all(name).iter().for_each(|value| {
            headers.append(name.clone(), value.clone());
        });
    }
}

fn rebuilt(
    stored: &Stored,
    request: &HeaderMap,
    mut headers: HeaderMap,
    initial_age: std::time::Duration,
    exchange: &Exchange,
    rules: &Rules,
) -> Freshened {
    let control = Control::of_response(&headers, rules);
    let freshness = freshness::lifetime(stored.status, &headers, &control, exchange.received_wall, rules);
    let selecting = Selecting::of(&headers, request).ok_or(NotStored::VaryAny);
    let keep = storable::check(request, stored.status, &headers, &control, freshness, rules)
        .and(selecting.as_ref().map(|_| ()).map_err(|why| *why));
    fields::strip_not_stored(&mut headers, &control);
    let selecting = selecting.unwrap_or_else(|_| stored.selecting.clone());
    let received = exchange.received;
    let status = stored.status;
    Freshened {
        stored: Stored { status, headers, control, freshness, initial_age, received, selecting },
        keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::policy::testing::{Fields, map};
    use ::http::StatusCode;
    use std::time::Duration;
    use tropos_core::Tick;

    fn at(seconds: i64) -> Exchange {
        let wall = 1_577_836_810_000 + u64::try_from(seconds).unwrap() * 1000;
        Exchange { requested: Tick(seconds * 1000), received: Tick(seconds * 1000), received_wall: wall }
    }

    const STORED: Fields<'_> = &[
        ("cache-control", "max-age=60"),
        ("etag", "\"a\""),
        ("content-length", "5"),
        ("x-old", "1"),
        ("x-both", "1"),
    ];

    fn stored() -> Stored {
        Stored::new(&map(&[]), StatusCode::OK, map(STORED), &at(0), &Rules::default()).unwrap()
    }

    fn text<'a>(stored: &'a Stored, name: &str) -> &'a str {
        stored.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn the_stored_validators_take_the_place_of_the_clients() {
        let mut request = map(&[("if-none-match", "\"x\""), ("if-modified-since", "x"), ("accept", "*/*")]);
        assert!(ask(&stored(), &mut request));
        assert_eq!(request, map(&[("accept", "*/*"), ("if-none-match", "\"a\"")]));
        let mut without = stored();
        without.headers.remove("etag");
        let mut request = map(&[("if-none-match", "\"x\"")]);
        assert!(!ask(&without, &mut request));
        assert_eq!(request, map(&[("if-none-match", "\"x\"")]));
    }

    #[test]
    fn a_304_updates_what_does_not_belong_to_the_body() {
        let newer = map(&[
            ("cache-control", "max-age=120"),
            ("etag", "\"a\""),
            ("content-length", "0"),
            ("content-encoding", "gzip"),
            ("x-both", "2"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("age", "7"),
        ]);
        let done = freshen(&stored(), &map(&[]), &newer, &at(100), &Rules::default());
        assert_eq!(done.keep, Ok(()));
        let stored = done.stored;
        for (name, expected) in [
            ("cache-control", "max-age=120"),
            ("content-length", "5"),
            ("content-encoding", ""),
            ("x-old", "1"),
            ("x-both", "2"),
            ("x-hop", ""),
            ("age", ""),
        ] {
            assert_eq!(text(&stored, name), expected, "{name}");
        }
        assert_eq!(stored.freshness.lifetime, Duration::from_secs(120));
        assert_eq!(stored.age(Tick(101_000)), Duration::from_secs(8));
    }

    #[test]
    fn a_304_of_another_version_changes_no_field_but_the_age() {
        let newer = map(&[("cache-control", "max-age=120"), ("etag", "\"b\""), ("x-both", "2")]);
        let done = freshen(&stored(), &map(&[]), &newer, &at(100), &Rules::default());
        assert_eq!(done.keep, Ok(()));
        assert_eq!(text(&done.stored, "etag"), "\"a\"");
        assert_eq!(text(&done.stored, "x-both"), "1");
        assert_eq!(done.stored.age(Tick(100_000)), Duration::ZERO);
    }

    #[test]
    fn a_304_may_end_the_storing() {
        let newer = map(&[("cache-control", "no-store")]);
        let done = freshen(&stored(), &map(&[]), &newer, &at(100), &Rules::default());
        assert_eq!(done.keep, Err(NotStored::NoStore));
    }

    #[test]
    fn a_head_of_the_same_version_updates_and_one_of_another_does_not() {
        for (head, expected) in [
            (&[("cache-control", "max-age=120"), ("x-both", "2")][..], Some("2")),
            (&[("etag", "\"a\""), ("content-length", "5"), ("x-both", "2")], Some("2")),
            (&[("etag", "\"b\""), ("x-both", "2")], None),
            (&[("content-length", "6")], None),
        ] {
            let done = update_by_head(&stored(), &map(&[]), &map(head), &at(9), &Rules::default());
            assert_eq!(done.as_ref().map(|done| text(&done.stored, "x-both")), expected, "{head:?}");
        }
    }
}
