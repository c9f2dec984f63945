//! Limits over two instances with a real Redis, and without it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod common;

use common::app;
use futures::future::join_all;
use leptos::prelude::*;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tropos::{
    PageResult,
    edge::{Hooks, ready::RateLimit, ready::rate_limit::By},
    page,
    prelude::*,
};
use tropos_cache::{Engine, EngineConfig, RedisStore, SharedConfig};
use tropos_core::SystemClock;
use tropos_parts::Redis;
use tropos_server::{Config, Site};
use tropos_testing::TestApp;

const MOST: u32 = 20;

#[page("/tried", server)]
async fn Tried() -> PageResult {
    view! { <p>"tried"</p> }.into_page()
}

async fn instance(redis: &Redis) -> Arc<Site> {
    let by = [By::header("x-client")];
    let hooks =
        Hooks::new().at("/tried", RateLimit::new("tries", MOST, Duration::from_secs(600)).by(by).closed());
    let shared = SharedConfig::new(Arc::new(RedisStore::open(&redis.url()).unwrap()));
    let config = EngineConfig { shared: Some(shared), ..EngineConfig::default() };
    let engine = Engine::open(config, Arc::new(SystemClock::new()), None).await.unwrap();
    Site::over(app().hooks(hooks).pages(tropos::routes![Tried]), Config::default(), engine).await.unwrap()
}

/// How one client fared who asked so often at once: how many answers were 200, how many 429, and the longest wait.
#[expect(
    clippy::disallowed_methods,
    reason = "what a visitor waits for is measured by the machine's own clock"
)]
async fn ask(sites: &[&Arc<Site>], client: &str, times: usize) -> (usize, usize, Duration) {
    let asked = sites.iter().cycle().take(times).map(|site| async {
        let request = TestApp::request("GET", "/tried", "", &[("x-client", client)]);
        let begun = Instant::now();
        let answer = (*site).clone().handle(request).await;
        (answer.status().as_u16(), begun.elapsed())
    });
    let answers = join_all(asked).await;
    let count = |status| answers.iter().filter(|(known, _)| *known == status).count();
    (count(200), count(429), answers.iter().map(|(_, took)| *took).max().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_share_a_limit_and_have_one_each_while_redis_is_away() {
    let redis = Redis::start().await.unwrap();
    let (one, other) = (instance(&redis).await, instance(&redis).await);
    let most = MOST as usize;
    // A machine that stalls for 50 ms has an instance count such a request alone: then the next client is asked.
    let mut exact = None;
    for number in 0..20 {
        let client = format!("shared {number}");
        let (admitted, refused, longest) = ask(&[&one, &other], &client, 3 * most).await;
        assert!(admitted >= most && admitted + refused == 3 * most, "{admitted} {refused}");
        if admitted == most {
            exact = Some(client);
            break;
        }
        assert!(longest > Duration::from_millis(50), "{admitted} were admitted");
    }
    let counted = exact.unwrap();

    redis.stop().await.unwrap();
    // The first may each wait 50 ms for an answer; what is more is the machine's. One after the other, they would take 5 s.
    let (admitted, refused, longest) = ask(&[&one, &other], "alone", 5 * most).await;
    assert_eq!((admitted, refused), (2 * most, 3 * most), "one limit an instance");
    assert!(longest < Duration::from_secs(3), "{longest:?}");
    let (admitted, refused, _) = ask(&[&one, &other], &counted, 4 * most).await;
    assert_eq!((admitted, refused), (2 * most, 2 * most), "what was counted in Redis is not known here");
}
