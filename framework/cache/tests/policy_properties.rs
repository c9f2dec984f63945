//! The pure policy of RFC 9111, held to `http-cache-semantics` where both decide.
//!
//! Where the two differ by intention, [`differs`] names the section by which ours decides as it does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_cache_semantics::{BeforeRequest, CacheOptions, CachePolicy};
use proptest::{collection::vec, option, prelude::*, sample::select};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tropos_cache::http::policy::{
    Exchange, NotStored, Reuse, Rules, Stored, directives::Covers, reuse, reuse::Wishes,
};
use tropos_core::Tick;

/// 2020-01-01 00:00:00, when all answers come.
const RECEIVED: u64 = 1_577_836_800;

type Fields = Vec<(&'static str, String)>;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn date(seconds: u64) -> String {
    httpdate::fmt_http_date(at(seconds))
}

fn map(fields: &Fields) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// Numbers about each other, so that the borders are met.
fn seconds() -> impl Strategy<Value = u64> {
    select(vec![0_u64, 1, 9, 10, 11, 60, 86_400])
}

/// A `Cache-Control` of some of these directives, none twice.
fn control(directives: Vec<(f64, BoxedStrategy<String>)>) -> impl Strategy<Value = Fields> {
    let some: Vec<_> = directives.into_iter().map(|(often, one)| option::weighted(often, one)).collect();
    some.prop_map(|found| {
        let line: Vec<String> = found.into_iter().flatten().collect();
        if line.is_empty() { Vec::new() } else { vec![("cache-control", line.join(", "))] }
    })
}

/// Often, since most of what is to be compared hangs on it.
fn with_age(name: &'static str) -> (f64, BoxedStrategy<String>) {
    let line = prop_oneof![
        8 => seconds().prop_map(move |age| format!("{name}={age}")),
        1 => Just(format!("{name}=x")),
    ];
    (0.4, line.boxed())
}

/// Seldom, since most of them end the comparison.
fn word(word: &'static str) -> (f64, BoxedStrategy<String>) {
    (0.07, Just(word.to_owned()).boxed())
}

fn request() -> impl Strategy<Value = Fields> {
    let said = control(vec![
        (0.4, seconds().prop_map(|age| format!("max-age={age}")).boxed()),
        (0.2, select(vec!["max-stale", "max-stale=1", "max-stale=50"]).prop_map(str::to_owned).boxed()),
        (0.2, seconds().prop_map(|age| format!("min-fresh={}", age + 1)).boxed()),
        word("no-cache"),
        word("no-store"),
        word("x-unknown=1"),
    ]);
    let others = vec(
        select(vec![
            ("authorization", "secret"),
            ("accept-language", "de"),
            ("accept-language", "fr"),
            ("x-other", "1"),
            ("pragma", "no-cache"),
        ]),
        0..3,
    );
    (said, others).prop_map(|(mut fields, others)| {
        for (name, value) in others {
            if fields.iter().all(|(known, _)| *known != name) {
                fields.push((name, value.to_owned()));
            }
        }
        fields
    })
}

fn response() -> impl Strategy<Value = (u16, Fields)> {
    let said = control(vec![
        with_age("max-age"),
        with_age("s-maxage"),
        word("no-cache"),
        word("no-cache=\"x-secret\""),
        word("no-store"),
        word("private"),
        word("private=\"x-secret\""),
        word("public"),
        word("must-revalidate"),
        word("proxy-revalidate"),
        word("x-unknown=\"max-age=86400, no-store\""),
    ]);
    let status = select(vec![200_u16, 203, 204, 300, 301, 302, 307, 308, 404, 405, 410, 414, 501]);
    let expires = option::of(prop_oneof![
        8 => (0_u64..100).prop_map(|after| date(RECEIVED + after)),
        1 => Just("0".to_owned()),
        1 => Just(date(RECEIVED - 1000)),
    ]);
    let modified = option::of((1_u64..1000).prop_map(|before| date(RECEIVED - before)));
    let age =
        option::of(prop_oneof![8 => seconds().prop_map(|age| age.to_string()), 1 => Just("x".to_owned())]);
    let made = select(vec![None, Some(RECEIVED), Some(RECEIVED + 5), Some(RECEIVED - 5)]);
    let vary = option::weighted(0.3, select(vec!["accept-language", "Accept-Language, x-other", "*"]));
    let tag = option::of(Just("\"a\"".to_owned()));
    let pragma = option::weighted(0.1, Just("no-cache".to_owned()));
    (status, said, (expires, modified, age, made, vary, tag, pragma)).prop_map(
        |(status, mut fields, (expires, modified, age, made, vary, tag, pragma))| {
            let others = [
                ("expires", expires),
                ("last-modified", modified),
                ("age", age),
                ("date", made.map(date)),
                ("vary", vary.map(str::to_owned)),
                ("etag", tag),
                ("pragma", pragma),
            ];
            fields.extend(others.into_iter().filter_map(|(name, value)| Some((name, value?))));
            (status, fields)
        },
    )
}

/// What the two are asked.
struct Case {
    theirs: CachePolicy,
    ours: Result<Stored, NotStored>,
    request: HeaderMap,
    response: HeaderMap,
}

impl Case {
    fn new(request: &Fields, status: u16, response: &Fields) -> Self {
        let (request, response) = (map(request), map(response));
        let asked = ask(&request);
        let mut answer = Response::new(());
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        *answer.headers_mut() = response.clone();
        let theirs = CachePolicy::new_options(&asked, &answer, at(RECEIVED), CacheOptions::default());
        let exchange = Exchange { requested: Tick(0), received: Tick(0), received_wall: RECEIVED * 1000 };
        let ours = Stored::new(&request, answer.status(), response.clone(), &exchange, &rules());
        Self { theirs, ours, request, response }
    }

    fn says(&self, name: &str, word: &str) -> bool {
        self.response.get_all(name).iter().any(|line| line.to_str().unwrap().contains(word))
    }

    /// Where the two differ by intention, and why ours is right.
    fn differs(&self) -> Option<&'static str> {
        // The word within the quotes of an unknown directive is none; theirs sees that too, `says` does not.
        let control = |word: &str| {
            let lines = self.response.get_all("cache-control").iter();
            lines.flat_map(|line| line.to_str().unwrap().split(", ")).any(|found| found == word)
        };
        if control("no-cache=\"x-secret\"") || control("private=\"x-secret\"") {
            return Some(
                "RFC 9111 §5.2.2.4, §5.2.2.7: with a list of fields, the rest of the answer may be used",
            );
        }
        if control("proxy-revalidate") {
            return Some("RFC 9111 §5.2.2.8: it forbids stale answers, not fresh ones");
        }
        if self.response.get("age").is_some_and(|age| age == "x") {
            return Some("RFC 9111 §4.2.1: caches are encouraged to take what is invalid for stale");
        }
        let made =
            self.response.get("date").map(|made| httpdate::parse_http_date(made.to_str().unwrap()).unwrap());
        if made.is_some_and(|made| made < at(RECEIVED)) {
            return Some("RFC 9111 §4.2.3: the age is at least the time since `Date`");
        }
        None
    }
}

/// As theirs guesses: a tenth, without a bound.
fn rules() -> Rules {
    Rules { heuristic_most: Duration::from_secs(u64::from(u32::MAX)), ..Rules::default() }
}

fn ask(headers: &HeaderMap) -> Request<()> {
    let mut request = Request::get("http://example.test/a").body(()).unwrap();
    *request.headers_mut() = headers.clone();
    request
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn both_store_the_same(request in request(), (status, response) in response()) {
        let case = Case::new(&request, status, &response);
        if case.differs().is_none() {
            match &case.ours {
                Ok(_) => prop_assert!(case.theirs.is_storable()),
                // Of no use, and by §3 storable: theirs stores it and never uses it.
                Err(NotStored::Useless | NotStored::NothingAllows | NotStored::VaryAny) => {
                    prop_assert_eq!(case.theirs.time_to_live(at(RECEIVED)), Duration::ZERO);
                }
                Err(why) => prop_assert!(!case.theirs.is_storable(), "{why}"),
            }
        }
    }

    #[test]
    fn both_find_it_fresh_for_as_long(
        request in request(),
        (status, response) in response(),
        later in seconds(),
    ) {
        let case = Case::new(&request, status, &response);
        // §4.2.2: a lifetime may be guessed for the codes that allow it, or beside `public`; theirs guesses for all.
        let guessed = !matches!(status, 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501);
        if let (Ok(stored), None, false) = (&case.ours, case.differs(), guessed) {
            let ours = match stored.control.directives.no_cache {
                // §5.2.2.4: never without validation, however fresh; theirs calls that stale.
                Covers::All => 0,
                _ => u64::try_from(stored.ttl(Tick(i64::try_from(later * 1000).unwrap())).max(0)).unwrap(),
            };
            prop_assert_eq!(ours, case.theirs.time_to_live(at(RECEIVED + later)).as_secs());
        }
    }

    #[test]
    fn both_use_it_for_the_same_requests(
        stored_for in request(),
        (status, response) in response(),
        asked in request(),
        later in seconds(),
    ) {
        let case = Case::new(&stored_for, status, &response);
        let asked = map(&asked);
        let said = |headers: &HeaderMap, word: &str| {
            headers.get_all("cache-control").iter().any(|line| line.to_str().unwrap().contains(word))
        };
        let by_intention = case.differs().is_some()
            // §3.5: who asks with `Authorization` gets what was stored only where the answer is for everybody.
            || asked.contains_key("authorization")
            // §4.2.4, §5.2.2.10: beside `s-maxage` or `no-cache` no request can ask for a stale answer.
            || (said(&asked, "max-stale") && (said(&case.response, "s-maxage") || case.says("cache-control", "no-cache") || case.says("pragma", "no-cache")))
            // §5.4: `Pragma` counts only without `Cache-Control`.
            || (asked.contains_key("pragma") && asked.contains_key("cache-control"))
            // §4.2.2, as above.
            || matches!(status, 302 | 307);
        if let (Ok(stored), false) = (&case.ours, by_intention) {
            let now = Tick(i64::try_from(later * 1000).unwrap());
            let decided = reuse::decide(stored, &Wishes::of(&asked, &rules()), now);
            let ours = stored.selecting.matches(&asked) && matches!(decided, Reuse::Fresh | Reuse::Tolerated);
            let theirs = case.theirs.before_request(&ask(&asked), at(RECEIVED + later));
            prop_assert_eq!(ours, matches!(theirs, BeforeRequest::Fresh(_)), "{:?} {:?}", decided, case.request);
        }
    }

    #[test]
    fn any_header_gets_a_decision(
        lines in vec("[ -~]{0,40}", 0..4),
        name in select(vec!["cache-control", "cdn-cache-control", "age", "expires", "date", "vary", "pragma", "connection"]),
        later in 0_i64..i64::MAX,
    ) {
        let fields: Fields = lines.into_iter().map(|line| (name, line)).collect();
        let case = Case::new(&fields, 200, &fields);
        if let Ok(stored) = case.ours {
            reuse::decide(&stored, &Wishes::of(&case.request, &rules()), Tick(later));
            stored.ttl(Tick(later));
        }
    }
}
