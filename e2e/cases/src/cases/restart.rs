//! What outlives the process, and how it ends.

use super::cases;
use crate::{
    check::{Outcome, that},
    context::{Context, TOKEN},
    events::Events,
    expect::HIT,
};
use serde_json::json;
use std::time::Duration;
use tokio::{
    net::TcpListener,
    time::{Instant, sleep, timeout},
};

cases! {
    26 "an invalidation survives kill -9" => after_kill;
    26 "an invalidation survives SIGTERM" => after_sigterm;
    75 "on SIGTERM the server says that it is not ready, finishes running answers and exits with 0" => drains;
    75 "a collector that never answers delays neither answers nor the end" => ends_without_collector;
    75 "on SIGTERM an open event stream does not keep the process alive" => ends_streams;
}

async fn after_kill(c: Context) -> Outcome {
    survives(c, true).await
}

async fn after_sigterm(c: Context) -> Outcome {
    survives(c, false).await
}

async fn survives(c: Context, kill: bool) -> Outcome {
    let mut server = c.own_server(Some(TOKEN), &[]).await?;
    let keys = ["by-tag", "by-path", "by-prefix", "kept"].map(|name| c.key(name));
    let http = server.http();
    for key in &keys {
        c.upstream.set(&format!("demand-{key}"), "old");
        http.get(&format!("/demand/{key}")).await?.shows("old")?;
        c.upstream.set(&format!("demand-{key}"), "new");
    }
    let [by_tag, by_path, by_prefix, kept] = keys.map(|key| format!("/demand/{key}"));
    let before = http.get(&kept).await?;
    // Entries reach the disk behind the answers.
    sleep(Duration::from_millis(700)).await;
    // A page of the build must not come back either.
    c.upstream.set("closed-ajar", "new");
    let tags = [by_tag.trim_start_matches('/').replace('/', "-"), "closed-ajar".into()];
    c.invalidate_at(&http, json!({ "tags": tags, "paths": [by_path], "prefixes": [by_prefix] })).await?;
    if kill {
        server.kill().await?;
    } else {
        server.ask_to_end().await?;
        let status = server.ended().await?;
        that(status.success(), format!("ended with {status}\n{}", server.log()))?;
    }
    server.restart().await?;
    let http = server.http();
    for path in [by_tag, by_path, by_prefix, "/closed/ajar".into()] {
        http.get(&path)
            .await?
            .shows("new")
            .map_err(|problem| problem.during("first request after the restart"))?;
    }
    http.get(&kept).await?.same_body(&before)?.cache(HIT)?;
    // Numbers go on where they were, so that later invalidations count too.
    c.upstream.set(&kept.trim_start_matches('/').replace('/', "-"), "newest");
    c.invalidate_at(&http, json!({ "paths": [kept] })).await?;
    http.get(&kept).await?.shows("newest")?;
    Ok(())
}

async fn drains(c: Context) -> Outcome {
    let mut server = c.own_server(Some(TOKEN), &[]).await?;
    let key = c.key("drain");
    let read = format!("server-{key}");
    c.upstream.set(&read, "finished");
    let gate = c.upstream.hold(&read);
    let http = server.http();
    let running = tokio::spawn(async move { http.get(&format!("/server/{key}")).await });
    that(c.upstream.called(&read, 1).await, "the page was not started")?;
    server.ask_to_end().await?;
    let asked = Instant::now();
    while server.admin().get("/readyz").await.is_ok_and(|page| page.status == 200) {
        that(
            asked.elapsed() < Duration::from_secs(2),
            "/readyz still answered 200 two seconds after SIGTERM",
        )?;
        sleep(Duration::from_millis(20)).await;
    }
    sleep(Duration::from_millis(300)).await;
    gate.release();
    let answer = running.await.map_err(|error| crate::check::Problem::Failed(error.to_string()))??;
    answer.shows("finished")?;
    let status = server.ended().await?;
    that(status.code() == Some(0), format!("ended with {status}\n{}", server.log()))
}

async fn ends_streams(c: Context) -> Outcome {
    let mut server = c.own_server(Some(TOKEN), &[]).await?;
    let page = server.http().get(&format!("/live/{}", c.key("drain"))).await?;
    let _events = Events::open(&server.http(), &page.need_live_url()?, None).await?;
    server.ask_to_end().await?;
    let status = server.ended().await?;
    that(status.code() == Some(0), format!("ended with {status}\n{}", server.log()))
}

/// Spans and series wait to be sent when the process is to end; what holds them is given up after seconds.
async fn ends_without_collector(c: Context) -> Outcome {
    let collector = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", collector.local_addr()?);
    let all = [("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str()), ("OTEL_TRACES_SAMPLER", "always_on")];
    let mut server = c.own_server(Some(TOKEN), &all).await?;
    let key = c.key("told");
    c.upstream.set(&format!("server-{key}"), "quick");
    let began = Instant::now();
    for _ in 0..100 {
        server.http().get(&format!("/server/{key}")).await?.shows("quick")?;
    }
    let took = began.elapsed();
    that(took < Duration::from_secs(10), format!("100 answers took {took:?}"))?;
    // It is asked, and holds its connections.
    let asked = timeout(Duration::from_secs(10), collector.accept()).await;
    that(asked.is_ok(), "nothing was sent to the collector")?;
    let began = Instant::now();
    server.ask_to_end().await?;
    let status = server.ended().await?;
    that(status.code() == Some(0), format!("ended with {status}\n{}", server.log()))?;
    let took = began.elapsed();
    that(took < Duration::from_secs(15), format!("it ended after {took:?}"))
}
