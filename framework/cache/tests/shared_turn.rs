//! An instance that takes up what another has rendered, while that is invalidated: guarantees 1 and 3.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use bytes::Bytes;
use common::{Page, Source, instance, text, until};
use futures::{FutureExt, future::BoxFuture};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use tropos_cache::{
    Engine, EngineConfig, RedisStore, SharedConfig, Strength,
    store::shared::{Asked, Known, Renewal, SharedStore},
};
use tropos_core::{Ages, Positions, SystemClock, Tag};
use tropos_parts::Redis;

/// A store in which a turn is taken and given back only when the test says so.
#[derive(Debug)]
struct Held {
    store: RedisStore,
    asks: watch::Sender<usize>,
    may_take: watch::Receiver<bool>,
    may_give_back: watch::Receiver<bool>,
    gives_back: watch::Sender<bool>,
}

async fn open(gate: &watch::Receiver<bool>) {
    gate.clone().wait_for(|open| *open).await.unwrap();
}

impl SharedStore for Held {
    fn renew(&self, known: Known, lease: Duration) -> Asked<'_, Renewal> {
        self.store.renew(known, lease)
    }

    fn begin_anew(&self, known: Known) -> Asked<'_, ()> {
        self.store.begin_anew(known)
    }

    fn invalidate<'a>(
        &'a self,
        tags: &'a [Tag],
        strength: Strength,
        positions: &'a Positions,
    ) -> Asked<'a, (u64, u64)> {
        self.store.invalidate(tags, strength, positions)
    }

    fn unacknowledged(
        &self,
        incarnation: u64,
        sequence: u64,
        lease: Duration,
        grace: Duration,
    ) -> Asked<'_, usize> {
        self.store.unacknowledged(incarnation, sequence, lease, grace)
    }

    fn leave(&self) -> Asked<'_, ()> {
        self.store.leave()
    }

    fn hint(&self) -> BoxFuture<'_, ()> {
        self.store.hint()
    }

    fn read<'a>(&'a self, name: &'a str) -> Asked<'a, Option<Bytes>> {
        self.store.read(name)
    }

    fn write<'a>(&'a self, name: &'a str, bytes: Vec<u8>, life: Duration) -> Asked<'a, ()> {
        self.store.write(name, bytes, life)
    }

    fn remove<'a>(&'a self, name: &'a str) -> Asked<'a, ()> {
        self.store.remove(name)
    }

    fn take<'a>(&'a self, name: &'a str, holder: u64, span: Duration) -> Asked<'a, bool> {
        async move {
            self.asks.send_modify(|asks| *asks += 1);
            // As if another held it: an answer that is late instead would count as a failure of the store.
            let may_take = *self.may_take.borrow();
            if may_take { self.store.take(name, holder, span).await } else { Ok(false) }
        }
        .boxed()
    }

    fn give_back<'a>(&'a self, name: &'a str, holder: u64) -> Asked<'a, ()> {
        async move {
            self.gives_back.send_replace(true);
            open(&self.may_give_back).await;
            self.store.give_back(name, holder).await
        }
        .boxed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_has_made_answers_who_waited_though_it_is_invalidated_as_it_is_taken_up() {
    let redis = Redis::start().await.unwrap();
    let near = instance(&redis.url()).await;
    let (asks, mut asked) = watch::channel(0);
    let (take, may_take) = watch::channel(false);
    let (give_back, may_give_back) = watch::channel(false);
    let (gives_back, mut given_back) = watch::channel(false);
    let store = RedisStore::open(&redis.url()).unwrap();
    let store = SharedConfig::new(Arc::new(Held { store, asks, may_take, may_give_back, gives_back }));
    let config =
        EngineConfig { build_id: "build".to_owned(), shared: Some(store), ..EngineConfig::default() };
    let far = Engine::open(config, Arc::new(SystemClock::new()), None).await.unwrap();

    // A render that begins before the far reader comes, by the sequence.
    let source = Source::new("old");
    let page = Page::new("p", Ages::NEVER, &["p"], &source);
    source.hold();
    let rendering = page.ask(&near).await;
    until("a render", async || source.reads() > 0).await;
    near.invalidate(&["other".into()], Strength::Hard).await.unwrap();
    let waiting = page.ask(&far).await;
    // Between the first time that it asks and the second it looks for the entry; there must be none yet.
    tokio::time::timeout(Duration::from_secs(10), asked.wait_for(|asked| *asked > 1)).await.unwrap().unwrap();
    source.release();
    assert_eq!(text(&rendering.await.unwrap()), "old");
    until("the end of the turn", async || redis.cli(["KEYS", "*:turn:*"]).await.unwrap().is_empty()).await;

    // The far one takes it up, and learns at that moment that it is no good for those who come from now on.
    take.send_replace(true);
    tokio::time::timeout(Duration::from_secs(10), given_back.wait_for(|given| *given))
        .await
        .unwrap()
        .unwrap();
    source.set("new");
    near.invalidate(&["p".into()], Strength::Hard).await.unwrap();
    give_back.send_replace(true);
    let early = waiting.await.unwrap();
    assert!(early.result.is_ok(), "{:?}", early.result.err());
    assert_eq!(text(&page.get(&far).await), "new");
}
