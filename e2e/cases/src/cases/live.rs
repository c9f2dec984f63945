//! Live pages: what is pushed into an open page.

use super::cases;
use crate::{
    check::{Outcome, Problem, equal, fail, that, within},
    context::Context,
    events::Events,
    page::Page,
};
use serde_json::json;
use std::time::Duration;

cases! {
    - "an open live page is told the new value of a tag that it read, each time" => each_change;
    - "a change between the first HTML and the opening of the stream is not lost" => before_the_stream;
    - "a stream that is resumed by Last-Event-ID has lost nothing" => resumed;
    - "a stream that is resumed after no change tells the next one" => resumed_without_change;
    - "an invalidation of another tag sends nothing" => other_tags;
    - "twenty viewers of one page are told from one render" => many_viewers;
    - "a soft invalidation reaches an open page too" => soft;
}

impl Page {
    /// The path of the event stream, which a live page must name.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) fn need_live_url(&self) -> Result<String, Problem> {
        match self.is(200)?.live_url() {
            Some(url) if url.starts_with('/') && !url.starts_with("//") => Ok(url),
            found => fail(format!("{}: data-live of <main> is {found:?}, expected a path", self.request)),
        }
    }
}

/// A live page with its key, its read and its stream.
struct Open {
    path: String,
    read: String,
    url: String,
}

async fn open(c: &Context, value: &str) -> Result<Open, Problem> {
    let key = c.key("live");
    let (path, read) = (format!("/live/{key}"), format!("live-{key}"));
    c.upstream.set(&read, value);
    let page = c.get(&path).await?;
    let url = page.shows(value)?.need_live_url()?;
    Ok(Open { path, read, url })
}

impl Open {
    async fn change(&self, c: &Context, value: &str) -> Outcome {
        c.upstream.set(&self.read, value);
        c.invalidate_tag(&self.read).await.map(drop)
    }

    async fn events(&self, c: &Context, last: Option<&str>) -> Result<Events, Problem> {
        Events::open(&c.http, &self.url, last).await
    }
}

async fn each_change(c: Context) -> Outcome {
    let page = open(&c, "value one").await?;
    let mut events = page.events(&c, None).await?;
    let control = events.head().header("cache-control").unwrap_or_default().to_owned();
    that(
        control.contains("no-store") || control.contains("no-cache"),
        format!("Cache-Control is {control:?}"),
    )?;
    for value in ["value two", "value three", "value four"] {
        page.change(&c, value).await?;
        let event = events.containing(value).await?;
        that(event.id.is_some_and(|id| !id.is_empty()), "an event has no id to resume from")?;
    }
    c.get(&page.path).await?.shows("value four")?;
    Ok(())
}

async fn before_the_stream(c: Context) -> Outcome {
    let page = open(&c, "value one").await?;
    page.change(&c, "value two").await?;
    page.events(&c, None).await?.containing("value two").await?;
    Ok(())
}

async fn resumed(c: Context) -> Outcome {
    let page = open(&c, "value one").await?;
    let mut events = page.events(&c, None).await?;
    page.change(&c, "value two").await?;
    let mut last = events.containing("value two").await?.id.unwrap_or_default();
    drop(events);
    for value in ["value three", "value four"] {
        page.change(&c, "value between").await?;
        page.change(&c, value).await?;
        let mut events = page.events(&c, Some(&last)).await?;
        last = events.containing(value).await?.id.unwrap_or_default();
    }
    // An id that no server gave is no error either.
    page.change(&c, "value five").await?;
    page.events(&c, Some("nonsense")).await?.containing("value five").await?;
    Ok(())
}

async fn resumed_without_change(c: Context) -> Outcome {
    let page = open(&c, "value one").await?;
    let mut events = page.events(&c, None).await?;
    page.change(&c, "value two").await?;
    let last = events.containing("value two").await?.id.unwrap_or_default();
    drop(events);
    let mut events = page.events(&c, Some(&last)).await?;
    page.change(&c, "value three").await?;
    events.containing("value three").await?;
    Ok(())
}

async fn other_tags(c: Context) -> Outcome {
    let page = open(&c, "value one").await?;
    let mut events = page.events(&c, None).await?;
    // What a stream says at its start is its own affair.
    while events.next(Duration::from_millis(400)).await?.is_some() {}
    c.upstream.set(&page.read, "value two");
    c.invalidate(json!({ "tags": [c.key("live-other")], "paths": [format!("/live/{}", c.key("other"))] }))
        .await?;
    let event = events.next(Duration::from_millis(800)).await?;
    equal("events after another tag was invalidated", event, None)
}

async fn many_viewers(c: Context) -> Outcome {
    let page = open(&c, "value one").await?;
    let mut viewers = Vec::new();
    for _ in 0..20 {
        let url = c.get(&page.path).await?.need_live_url()?;
        viewers.push(Events::open(&c.http, &url, None).await?);
    }
    let before = c.upstream.calls(&page.read);
    page.change(&c, "value two").await?;
    for viewer in &mut viewers {
        viewer.containing("value two").await?;
    }
    within("calls upstream for twenty viewers", c.upstream.calls(&page.read) - before, 1..=2)
}

async fn soft(c: Context) -> Outcome {
    let page = open(&c, "value one").await?;
    let mut events = page.events(&c, None).await?;
    c.upstream.set(&page.read, "value two");
    c.invalidate(json!({ "tags": [page.read], "soft": true })).await?;
    events.containing("value two").await?;
    Ok(())
}
