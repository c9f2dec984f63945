//! What a fetch may reach (cases, 69).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod upstream;

use axum::response::{IntoResponse, Redirect};
use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tropos_fetch::{self as fetch, Config, Error, Fetch, NotPublic, Resolver, Resolving};
use upstream::{Upstream, engine_with, render};

/// A resolver that says what the test says.
struct Says<F>(F);

impl<F: Fn(&str) -> Vec<&'static str> + Send + Sync + 'static> Resolver for Says<F> {
    fn resolve(&self, name: &str) -> Resolving {
        let found: Vec<IpAddr> = (self.0)(name).into_iter().map(|address| address.parse().unwrap()).collect();
        Box::pin(std::future::ready(Ok(found)))
    }
}

async fn text(config: Config, fetch: Fetch) -> Result<String, Error> {
    render(&engine_with(config).0, fetch.text()).await
}

fn refused(answer: &Result<String, Error>) -> Option<NotPublic> {
    match answer {
        Err(Error::NotPublic { why, .. }) => Some(*why),
        _ => None,
    }
}

#[tokio::test]
async fn this_machine_is_refused_by_address_and_by_name_and_is_not_called() {
    let upstream = Upstream::start().await;
    for host in ["127.0.0.1", "127.1", "0x7f.0.0.1", "0177.1", "[::ffff:127.0.0.1]", "localhost"] {
        let url = format!("http://{host}:{}/", upstream.port());
        for fetch in [fetch::get(&url), fetch::get(&url).revalidate("1h"), fetch::post(&url).body("x")] {
            let answer = text(Config::default(), fetch).await;
            assert_eq!(refused(&answer), Some(NotPublic::Loopback), "{host}: {answer:?}");
        }
    }
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn the_refusal_says_whom_and_why_and_how_to_allow_it() {
    let upstream = Upstream::start().await;
    let url = format!("http://localhost:{}/path?secret", upstream.port());
    let error = text(Config::default(), fetch::get(url)).await.unwrap_err().to_string();
    for part in ["`localhost`", "an address of this machine itself", ".allow_private()", "`fetch_allow`"] {
        assert!(error.contains(part), "{error}");
    }
    assert!(!error.contains("secret"), "{error}");
}

#[tokio::test]
async fn what_is_allowed_is_reached() {
    let upstream = Upstream::start().await;
    let by_address = upstream.url("/");
    let by_name = format!("http://localhost:{}/", upstream.port());
    let strict = Config::default;
    let allow = |text: &str| strict().allow(text.parse().unwrap());
    let cases = [
        ("by the fetch, an address", strict(), fetch::get(&by_address).allow_private(), true),
        ("by the fetch, a name", strict(), fetch::get(&by_name).allow_private(), true),
        ("by network", allow("127.0.0.0/8,::1"), fetch::get(&by_name), true),
        ("by address", allow("127.0.0.1"), fetch::get(&by_address), true),
        ("by name", allow("LocalHost"), fetch::get(&by_name), true),
        ("by name, asked by address", allow("localhost"), fetch::get(&by_address), false),
        ("another network", allow("10.0.0.0/8"), fetch::get(&by_address), false),
        ("in development", strict().in_development(true), fetch::get(&by_name), true),
    ];
    for (name, config, fetch, reached) in cases {
        let answer = text(config, fetch).await;
        assert_eq!(answer.is_ok(), reached, "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn a_name_is_judged_by_the_addresses_that_it_stands_for() {
    let upstream = Upstream::start().await;
    let cases: [(&[&str], Option<NotPublic>); 9] = [
        (&["127.0.0.2"], Some(NotPublic::Loopback)),
        (&["10.0.0.1", "192.168.0.1"], Some(NotPublic::Private)),
        (&["169.254.169.254"], Some(NotPublic::LinkLocal)),
        (&["100.64.0.1"], Some(NotPublic::Shared)),
        (&["::ffff:10.0.0.1"], Some(NotPublic::Private)),
        (&["64:ff9b::a00:1"], Some(NotPublic::Private)),
        (&["fd00::1"], Some(NotPublic::Private)),
        (&["0.0.0.0"], Some(NotPublic::Unspecified)),
        // Of these, only the last may be connected to, and is.
        (&["10.0.0.1", "127.0.0.2", "127.0.0.1"], None),
    ];
    for (addresses, why) in cases {
        let resolver = Says(move |_: &str| addresses.to_vec());
        let config = Config::default().allow("127.0.0.1".parse().unwrap()).resolver(resolver);
        let answer = text(config, fetch::get(format!("http://visitor.example:{}/", upstream.port()))).await;
        assert_eq!(refused(&answer), why, "{addresses:?}: {answer:?}");
        assert_eq!(answer.is_ok(), why.is_none(), "{addresses:?}: {answer:?}");
    }
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn a_name_that_changes_its_address_is_judged_anew_for_each_connection_and_looked_up_once_for_it() {
    let upstream = Upstream::start().await;
    upstream.answers(|_| ([("connection", "close")], "fine"));
    let lookups = Arc::new(AtomicUsize::new(0));
    // First an address that may be reached, then this very machine by another one.
    let answers = Mutex::new(VecDeque::from(["127.0.0.1", "127.0.0.2"]));
    let counted = lookups.clone();
    let resolver = Says(move |_: &str| {
        counted.fetch_add(1, Ordering::SeqCst);
        answers.lock().unwrap().pop_front().into_iter().collect()
    });
    let config = Config::default().allow("127.0.0.1".parse().unwrap()).resolver(resolver);
    let (engine, _) = engine_with(config);
    let url = format!("http://rebinds.example:{}/", upstream.port());
    let first = render(&engine, fetch::get(&url).text()).await;
    assert_eq!((first.unwrap().as_str(), lookups.load(Ordering::SeqCst)), ("fine", 1));
    let second = render(&engine, fetch::get(&url).text()).await;
    assert_eq!((refused(&second), lookups.load(Ordering::SeqCst)), (Some(NotPublic::Loopback), 2));
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn a_redirect_inwards_is_refused_even_from_where_the_fetch_may_go() {
    let (home, inner) = (Upstream::start().await, Upstream::start().await);
    let targets = [
        (inner.url("/"), NotPublic::Loopback),
        (format!("http://localhost:{}/", home.port()), NotPublic::Loopback),
        ("http://169.254.169.254/latest/meta-data/".into(), NotPublic::LinkLocal),
        ("http://[::ffff:10.0.0.1]/".into(), NotPublic::Private),
        ("http://2130706433/".into(), NotPublic::Loopback),
    ];
    for (target, why) in targets {
        let to = target.clone();
        home.answers(move |_| Redirect::temporary(&to).into_response());
        let answer = text(Config::default(), fetch::get(home.url("/")).allow_private()).await;
        assert_eq!(refused(&answer), Some(why), "{target}: {answer:?}");
    }
    assert_eq!(inner.calls(), 0);
    home.answers(|seen| match seen.uri.as_str() {
        "/" => Redirect::temporary("/there").into_response(),
        _ => "there".into_response(),
    });
    let answer = text(Config::default(), fetch::get(home.url("/")).allow_private()).await;
    assert_eq!(answer.unwrap(), "there", "within its own origin");
}

#[tokio::test]
async fn what_one_fetch_was_allowed_to_read_is_not_given_to_another() {
    let upstream = Upstream::start().await;
    let (engine, _) = engine_with(Config::default().resolver(Says(|_: &str| vec!["127.0.0.1"])));
    let url = format!("http://inner.example:{}/", upstream.port());
    let (plain, aged) = (|| fetch::get(&url), || fetch::get(&url).revalidate("1h"));
    render(&engine, async {
        for (allowed, guarded) in [(plain().allow_private(), plain()), (aged().allow_private(), aged())] {
            assert!(allowed.text().await.is_ok());
            let answer = guarded.text().await;
            assert_eq!(refused(&answer), Some(NotPublic::Loopback), "in the same render: {answer:?}");
        }
    })
    .await;
    let answer = render(&engine, aged().text()).await;
    assert_eq!(refused(&answer), Some(NotPublic::Loopback), "stored, and over a connection that is open");
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn an_engine_that_nobody_configured_refuses() {
    let upstream = Upstream::start().await;
    let clock = Arc::new(tropos_core::ManualClock::new());
    let engine = tropos_cache::Engine::in_memory(clock);
    let answer = render(&engine, fetch::get(upstream.url("/")).text()).await;
    assert_eq!(refused(&answer), Some(NotPublic::Loopback), "{answer:?}");
    fetch::install(&engine, Config::default().in_development(true));
    assert!(render(&engine, fetch::get(upstream.url("/")).text()).await.is_ok(), "from now on");
}
