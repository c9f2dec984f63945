//! Any order of reads, writes, failures and time: what clients may rely on holds after each step.

use crate::origin::{Setup, Unreachable, read, reply, settle};
use futures::FutureExt as _;
use proptest::{collection::vec, prelude::*};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tropos_cache::{http::policy::Rules, layer::LayerConfig};

/// For so long an answer may be used without a word from the origin.
const FRESH: u64 = 20;
/// And for so long after that while the origin is asked.
const WHILE_REVALIDATED: u64 = 10;

#[derive(Debug, Clone)]
enum Step {
    /// A client reads in this language, and has an answer of this version already, where it says one.
    Read { language: &'static str, has: Option<u64> },
    /// The data changes behind the cache's back.
    Change,
    /// The data changes by a request through the cache.
    Write,
    /// The origin can no longer be reached, or can again.
    Toggle,
    /// Seconds go by.
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (prop_oneof![Just("de"), Just("fr")], proptest::option::weighted(0.3, 0_u64..4))
            .prop_map(|(language, has)| Step::Read { language, has }),
        2 => Just(Step::Change),
        1 => Just(Step::Write),
        1 => Just(Step::Toggle),
        3 => (1_u64..25).prop_map(Step::Wait),
    ]
}

fn tag(version: u64, language: &str) -> String {
    format!("\"{version}-{language}\"")
}

async fn run(steps: Vec<Step>) {
    let version = Arc::new(AtomicU64::new(0));
    let is_down = Arc::new(AtomicBool::new(false));
    let rules = Rules { stale_if_unreachable: Duration::ZERO, ..Rules::default() };
    let (current, down) = (version.clone(), is_down.clone());
    let setup = Setup::with(LayerConfig::default().rules(rules), move |request| {
        if down.load(Ordering::SeqCst) {
            return async { Err(Unreachable) }.boxed();
        }
        if request.method() == "POST" {
            current.fetch_add(1, Ordering::SeqCst);
            return reply(204, &[], "");
        }
        let language = request.headers().get("accept-language").unwrap().to_str().unwrap();
        let version = current.load(Ordering::SeqCst);
        let tag = tag(version, language);
        let control = format!("max-age={FRESH}, stale-while-revalidate={WHILE_REVALIDATED}");
        let fields = [("cache-control", control.as_str()), ("etag", &tag), ("vary", "accept-language")];
        let knows = request.headers().get("if-none-match").is_some_and(|known| *known == *tag);
        let (status, body) =
            if knows { (304, String::new()) } else { (200, format!("{version}-{language}")) };
        reply(status, &fields, body)
    });
    let mut now = 0;
    let mut written = 0;
    let mut changes = vec![(0, 0)];
    for step in steps {
        match step {
            Step::Change => {
                changes.push((now, version.fetch_add(1, Ordering::SeqCst) + 1));
            }
            Step::Write => {
                if setup.send("POST", "/", &[]).await.is_ok() {
                    written = version.load(Ordering::SeqCst);
                    changes.push((now, written));
                }
            }
            Step::Toggle => {
                is_down.fetch_xor(true, Ordering::SeqCst);
            }
            Step::Wait(seconds) => {
                now += seconds;
                setup.clock.advance(Duration::from_secs(seconds));
            }
            Step::Read { language, has } => {
                let known = has.map(|version| tag(version, language)).unwrap_or_default();
                let mut fields = vec![("accept-language", language)];
                if has.is_some() {
                    fields.push(("if-none-match", &known));
                }
                let Ok(response) = setup.send("GET", "/", &fields).await else {
                    assert!(is_down.load(Ordering::SeqCst), "an origin that answers is not failed for");
                    continue;
                };
                let got = read(response).await;
                settle().await;
                let (seen, of) = match got.status {
                    304 => (has.unwrap(), language.to_owned()),
                    _ => {
                        let body = String::from_utf8(got.body.to_vec()).unwrap();
                        let (seen, of) = body.split_once('-').unwrap();
                        (seen.parse().unwrap(), of.to_owned())
                    }
                };
                assert_eq!(of, language, "each language has answers of its own");
                assert!(seen >= written, "{seen} after the write of {written}");
                // What was the newest when the oldest usable answer was made.
                let oldest = now.saturating_sub(FRESH + WHILE_REVALIDATED);
                let least = changes.iter().filter(|(at, _)| *at < oldest).map(|(_, version)| *version).max();
                assert!(seen >= least.unwrap_or(0), "{seen} at {now}, of {changes:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_order_of_events_makes_an_answer_wrong_or_too_old(steps in vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(run(steps));
    }
}
