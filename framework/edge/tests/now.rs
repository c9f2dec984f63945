//! Requests through hooks where nothing can be waited for.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Asked, Still, outcome};
use http::Method;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tropos_core::CanonicalPath;
use tropos_edge::{
    Decision, EdgeRequest, Edits, Hook, Hooks, Match, Platform, Reply, Verdict,
    edits::HeaderSet,
    hook,
    ready::{
        flags::Flags,
        redirects::{Redirects, Rule},
        security::SecurityHeaders,
    },
    request::{Client, Headers, RawHeader, Route},
    run::{Outcome, run_now},
};

/// Waits, and counts how often it began to.
struct Waiting(Arc<AtomicUsize>);

impl Hook for Waiting {
    fn name(&self) -> &str {
        "waiting"
    }

    fn decide<'a>(
        &'a self,
        _: &'a EdgeRequest<'_>,
        _: &'a mut Edits,
        platform: &'a dyn Platform,
    ) -> Verdict<'a> {
        Verdict::Later(Box::pin(async move {
            self.0.fetch_add(1, Ordering::Relaxed);
            platform.lookup("a", "b").await.map(|_| Decision::Next)
        }))
    }
}

fn now(hooks: &Hooks, asked: &Asked) -> Option<Outcome> {
    let nowhere = |_: &CanonicalPath| None::<Route<'static>>;
    let request = asked.request();
    let known = hooks.at_path(request.path(), None);
    run_now(hooks, &known, request, &nowhere, &Still::default())
}

fn guard() -> impl Hook {
    hook("guard", |request, _| match request.cookie("session") {
        Some("good") => Decision::Next,
        _ => Reply::text(401, "sign in first").into(),
    })
}

#[test]
fn what_would_have_to_wait_is_not_begun() {
    let begun = Arc::new(AtomicUsize::new(0));
    let hooks = Hooks::new().hook(Waiting(begun.clone()));
    assert!(now(&hooks, &Asked::get("/")).is_none());
    assert_eq!(begun.load(Ordering::Relaxed), 0);
    assert!(matches!(outcome(&hooks, &Asked::get("/")), Outcome::Pass(_)));
    assert_eq!(begun.load(Ordering::Relaxed), 1);
}

#[test]
fn whether_a_path_may_have_to_wait_is_known_beforehand() {
    let waits = |hooks: Hooks| {
        let path = CanonicalPath::parse("/office/a").unwrap();
        hooks.at_path(&path, Some("/office/:page")).may_wait()
    };
    let waiting = || Waiting(Arc::default());
    assert!(waits(Hooks::new().hook(waiting())));
    assert!(waits(Hooks::new().at(Match::cookie("a"), waiting())));
    assert!(!waits(Hooks::new().at(Match::below("/shop"), waiting())));
    assert!(!waits(Hooks::new().hook(guard()).hook(SecurityHeaders::new()).hook(Flags::new())));
}

#[test]
fn a_table_costs_no_path_that_it_is_not_for() {
    let table = || {
        let any_host = [Rule::new("/old", "/"), Rule::new("/items/:id", "/")];
        Redirects::new(any_host.into_iter().chain([Rule::new("/here", "/").on_host("*.shop.example")]))
    };
    let is_asked =
        |hooks: &Hooks, path: &str| !hooks.at_path(&CanonicalPath::parse(path).unwrap(), None).is_empty();
    let hooks = Hooks::new().hook(table());
    for (path, asked) in
        [("/old", true), ("/items/1", true), ("/here", true), ("/items", false), ("/", false)]
    {
        assert_eq!(is_asked(&hooks, path), asked, "{path}");
    }
    // Whether it runs is the visitor's doing, so the answer is theirs alone.
    assert!(is_asked(&Hooks::new().at(Match::cookie("a"), table()), "/"));
    // A path that a rewrite leads to is another one.
    let rewrites = hook("rewrites", |request, _| match request.path().as_str() {
        "/" => Decision::rewrite("/old"),
        _ => Ok(Decision::Next),
    });
    let hooks = Hooks::new().hook(rewrites).hook(Redirects::new([Rule::new("/old", "/new").rewrite()]));
    let Some(Outcome::Pass(passed)) = now(&hooks, &Asked::get("/")) else { panic!("not passed") };
    assert_eq!(passed.path.unwrap().as_str(), "/new");
}

#[test]
fn both_ways_decide_alike() {
    let hooks = Hooks::new()
        .hook(SecurityHeaders::new())
        .hook(Redirects::new([Rule::new("/old", "/new")]))
        .at(Match::below("/office"), guard());
    for asked in [
        Asked::get("/"),
        Asked::get("/old?a=b"),
        Asked::get("/office/a"),
        Asked::get("/office/a").header("cookie", "session=good"),
    ] {
        let now = now(&hooks, &asked).unwrap();
        assert_eq!(format!("{now:?}"), format!("{:?}", outcome(&hooks, &asked)));
    }
}

#[test]
fn a_hook_behind_a_rewrite_that_may_wait_is_not_asked_where_nothing_can_be_waited_for() {
    /// Takes the one turn that there is, as who renews a table does, and waits.
    struct Turn(AtomicUsize);

    impl Hook for Turn {
        fn name(&self) -> &str {
            "turn"
        }

        fn decide<'a>(
            &'a self,
            _: &'a EdgeRequest<'_>,
            _: &'a mut Edits,
            _: &'a dyn Platform,
        ) -> Verdict<'a> {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => Verdict::Later(Box::pin(async { Ok(Decision::from(Reply::empty(503))) })),
                _ => Decision::Next.into(),
            }
        }
    }

    let to_german = hook("locale", |request, _| match request.path().as_str() {
        "/a" => Decision::rewrite("/de/a"),
        _ => Ok(Decision::Next),
    });
    let hooks = Hooks::new().hook(to_german).at(Match::below("/de"), Turn(AtomicUsize::new(0)));
    let asked = Asked::get("/a");
    assert!(now(&hooks, &asked).is_none());
    let Outcome::Answer(answer) = outcome(&hooks, &asked) else { panic!("the turn was taken before") };
    assert_eq!(answer.reply.status(), 503);
}

#[test]
fn a_hook_that_panics_fails_its_request_and_no_other() {
    struct Later;

    impl Hook for Later {
        fn name(&self) -> &str {
            "later"
        }

        fn decide<'a>(
            &'a self,
            _: &'a EdgeRequest<'_>,
            _: &'a mut Edits,
            platform: &'a dyn Platform,
        ) -> Verdict<'a> {
            Verdict::Later(Box::pin(async move {
                drop(platform.lookup("a", "b").await);
                panic!("it rained")
            }))
        }
    }

    let at_once = hook("at once", |_, edits| {
        edits.response_headers().set("x-seen", "1");
        panic!("it rained");
        #[expect(unreachable_code, reason = "says what it would have given")]
        Decision::Next
    });
    let hooks = Hooks::new().at(Match::path("/a"), at_once).at(Match::path("/b"), Later);
    for (path, now_too) in [("/a", true), ("/b", false)] {
        let asked = Asked::get(path);
        let outcomes = [Some(outcome(&hooks, &asked)), if now_too { now(&hooks, &asked) } else { None }];
        for outcome in outcomes.into_iter().flatten() {
            let Outcome::Answer(answer) = outcome else { panic!("{path} was let through") };
            assert_eq!(answer.reply.status(), 500);
            assert!(answer.response.is_empty());
            assert_eq!(answer.error.unwrap().to_string(), "it panicked: it rained");
        }
    }
    assert!(matches!(outcome(&hooks, &Asked::get("/c")), Outcome::Pass(_)));
}

#[test]
fn nothing_is_allocated_where_nothing_is_changed() {
    let rules = (0..100).map(|number| Rule::new(&format!("/old-{number}"), "/"));
    let hooks = Hooks::new()
        .hook(Redirects::new(rules))
        .at(Match::below("/office"), guard())
        .at(Match::not(Match::cookie("seen")), guard())
        .at(Match::method("POST"), hook("refuses", |_, _| Decision::from(Reply::empty(405))))
        .hook(hook("reads", |request, _| match request.header("accept-language") {
            Some("de") => Decision::from(Reply::empty(406)),
            _ => Decision::Next,
        }));
    let lines: [RawHeader<'_>; 4] = [
        RawHeader { name: "Host", value: b"shop.example" },
        RawHeader { name: "Cookie", value: b"a=b; session=good; seen=1" },
        RawHeader { name: "Accept-Language", value: b"fr" },
        RawHeader { name: "User-Agent", value: b"Mozilla/5.0" },
    ];
    let path = CanonicalPath::parse("/office/a").unwrap();
    let (platform, nowhere) = (Still::default(), |_: &CanonicalPath| None::<Route<'static>>);
    let known = hooks.at_path(&path, None);
    let mut passed = None;
    let allocations = allocation_counter::measure(|| {
        let headers = Headers::Raw(&lines);
        let client = Client::default();
        let request = EdgeRequest::new(&Method::GET, "shop.example", true, &path, "", headers, client);
        passed = run_now(&hooks, &known, request, &nowhere, &platform);
    });
    assert!(matches!(passed, Some(Outcome::Pass(_))));
    assert_eq!(allocations.count_total, 0, "{allocations:?}");
}

#[test]
fn a_set_of_headers_says_what_each_of_them_would() {
    let set = HeaderSet::new([("x-a", "1"), ("X-B", "2"), ("x-a", "3")]).unwrap();
    let lines: Vec<_> = set.lines().map(|(name, line)| (name.as_str(), line)).collect();
    assert_eq!(lines, [("x-b", &b"x-b: 2\r\n"[..]), ("x-a", b"x-a: 3\r\n")]);
    let set = Arc::new(set);
    let hooks = Hooks::new().hook(hook("sets", move |_, edits| {
        edits.response_headers().append("x-a", "0");
        edits.response_headers().set_all(&set);
        Decision::Next
    }));
    let Some(Outcome::Pass(passed)) = now(&hooks, &Asked::get("/")) else { panic!("not passed") };
    let mut headers = http::HeaderMap::new();
    passed.response.apply(&mut headers, true);
    assert_eq!(headers.get_all("x-a").iter().collect::<Vec<_>>(), ["3"]);
    assert_eq!(headers["x-b"], "2");
    assert!(HeaderSet::new([("x a", "1")]).is_err() && HeaderSet::new([("x-a", "1\n")]).is_err());
}
