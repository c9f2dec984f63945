//! Who is sent what, and how many renders it costs. Time is paused: it moves on only while everybody waits.

mod page;

use futures::FutureExt;
use page::{TestPage, data_of, html_of};
use std::{sync::Arc, time::Duration};
use tropos_live::{Error, Hub, Limits, Message, Pace, Since, Subscription, Version};

fn watch(hub: &Hub, key: &str, page: &TestPage, since: Since) -> Result<Subscription, Error> {
    hub.watch(key.to_owned(), Arc::new(page.clone()), None, since)
}

/// Lets every task run until it waits for something other than time.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

async fn after(span: Duration) {
    tokio::time::sleep(span).await;
    settle().await;
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_page_that_holds_nothing_is_sent_the_whole_and_then_splices() {
    let (hub, page) = (Hub::default(), TestPage::new("1"));
    let mut stream = watch(&hub, "/", &page, Since::Nothing).unwrap();

    let first = stream.next().await.unwrap();
    assert_eq!(html_of(&first), Some(page.html()));
    assert_eq!(first.id, Version::of(&page.html()));

    page.set("2");
    let second = stream.next().await.unwrap();
    assert!(matches!(
        serde_json::from_str(&second.data).unwrap(),
        Message::Splice { base, v, ins, .. } if base == first.id && v == second.id && ins == "2"
    ));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_shows_the_newest_is_sent_nothing_until_it_changes_and_then_the_whole() {
    let (hub, page) = (Hub::default(), TestPage::new("1"));
    let mut stream = watch(&hub, "/", &page, Since::Shown(page.version())).unwrap();
    after(SECOND).await;
    assert!(stream.next().now_or_never().is_none());

    page.set("2");
    assert_eq!(html_of(&stream.next().await.unwrap()), Some(page.html()));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_holds_the_newest_is_sent_a_splice_once_it_changes() {
    let (hub, page) = (Hub::default(), TestPage::new("1"));
    let held = page.version();
    let mut stream = watch(&hub, "/", &page, Since::Held(held)).unwrap();
    after(SECOND).await;
    assert!(stream.next().now_or_never().is_none());

    page.set("2");
    let event = stream.next().await.unwrap();
    assert!(
        matches!(serde_json::from_str(&event.data).unwrap(), Message::Splice { base, .. } if base == held)
    );
}

#[tokio::test(start_paused = true)]
async fn a_page_that_comes_back_one_change_late_is_sent_that_change_and_two_late_the_whole() {
    let (hub, page) = (Hub::default(), TestPage::new("1"));
    let mut other = watch(&hub, "/", &page, Since::Nothing).unwrap();
    let one = other.next().await.unwrap();
    page.set("2");
    let two = other.next().await.unwrap();

    let mut late = watch(&hub, "/", &page, Since::Held(one.id)).unwrap();
    assert_eq!(late.next().await.as_ref(), Some(&two));

    page.set("3");
    other.next().await.unwrap();
    let mut later = watch(&hub, "/", &page, Since::Held(one.id)).unwrap();
    assert_eq!(html_of(&later.next().await.unwrap()), Some(page.html()));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_watchers_cost_one_render_a_change() {
    let (hub, page) = (Hub::default(), TestPage::new("1"));
    let mut streams: Vec<_> = (0..100).map(|_| watch(&hub, "/", &page, Since::Nothing).unwrap()).collect();
    for value in ["1", "2", "3"] {
        page.set(value);
        let renders = page.renders();
        for stream in &mut streams {
            assert!(data_of(&stream.next().await.unwrap()).contains(value));
        }
        assert_eq!(page.renders(), renders + 1, "{value}");
        after(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn pages_under_different_keys_share_nothing() {
    let (hub, mine, yours) = (Hub::default(), TestPage::new("mine"), TestPage::new("yours"));
    let mut a = watch(&hub, "/#me", &mine, Since::Nothing).unwrap();
    let mut b = watch(&hub, "/#you", &yours, Since::Nothing).unwrap();
    assert!(data_of(&a.next().await.unwrap()).contains("mine"));
    assert!(data_of(&b.next().await.unwrap()).contains("yours"));
    mine.set("mine again");
    assert!(data_of(&a.next().await.unwrap()).contains("mine again"));
    after(SECOND).await;
    assert!(b.next().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_first_render_that_is_there_already_is_not_made_again() {
    let (hub, page) = (Hub::default(), TestPage::new("1"));
    let first = page.read();
    let since = Since::Shown(Version::of(&first.0));
    let mut stream = hub.watch("/".into(), Arc::new(page.clone()), Some(first), since).unwrap();
    after(SECOND).await;
    assert!(stream.next().now_or_never().is_none());
    assert_eq!(page.renders(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_change_between_render_and_subscribe_is_sent() {
    let (hub, page) = (Hub::default(), TestPage::new("1"));
    let first = page.read();
    let since = Since::Shown(Version::of(&first.0));
    page.set("2");
    let mut stream = hub.watch("/".into(), Arc::new(page.clone()), Some(first), since).unwrap();
    assert!(data_of(&stream.next().await.unwrap()).contains("2"));
}

#[tokio::test(start_paused = true)]
async fn a_change_during_a_render_is_sent() {
    let (hub, page) = (Hub::default(), TestPage::new("1"));
    let mut stream = watch(&hub, "/", &page, Since::Nothing).unwrap();
    stream.next().await.unwrap();
    after(SECOND).await;

    // The render has read "2" and not yet returned when "3" is written.
    page.hold_renders();
    page.set("2");
    settle().await;
    assert_eq!(page.renders(), 2);
    page.set("3");
    page.release_renders();
    assert!(data_of(&stream.next().await.unwrap()).contains("2"));
    assert!(data_of(&stream.next().await.unwrap()).contains("3"));
    assert_eq!(page.renders(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_joins_is_never_sent_a_render_older_than_its_own() {
    let (hub, page) = (Hub::default(), TestPage::new("1"));
    let mut other = watch(&hub, "/", &page, Since::Nothing).unwrap();
    other.next().await.unwrap();

    // "2" is written, and a page loads and connects before the task of the others has noticed.
    page.set("2");
    let mut joined = watch(&hub, "/", &page, Since::Shown(page.version())).unwrap();
    assert!(joined.next().now_or_never().is_none());
    after(SECOND).await;
    assert!(joined.next().now_or_never().is_none(), "it shows the newest already");

    // The same while a render of older data is under way.
    page.hold_renders();
    page.set("3");
    settle().await;
    page.set("4");
    let mut joined = watch(&hub, "/", &page, Since::Shown(page.version())).unwrap();
    page.release_renders();
    after(SECOND).await;
    assert!(joined.next().now_or_never().is_none(), "it shows the newest already");
    page.set("5");
    assert!(data_of(&joined.next().await.unwrap()).contains("5"));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_joins_in_a_storm_does_not_wait_for_its_end() {
    let (hub, page) = (Hub::default(), TestPage::new("0"));
    let _other = watch(&hub, "/", &page, Since::Nothing).unwrap();
    let storm = tokio::spawn({
        let page = page.clone();
        async move {
            for n in 0.. {
                page.set(&n.to_string());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    after(SECOND).await;
    // Every render is outdated by the time that anybody sees it.
    page.outdate_at_once();
    let mut joined = watch(&hub, "/", &page, Since::Nothing).unwrap();
    let event = tokio::time::timeout(SECOND, joined.next()).await;
    assert!(event.is_ok_and(|event| event.is_some()));
    storm.abort();
}

#[tokio::test(start_paused = true)]
async fn a_storm_costs_a_render_a_pause_and_its_last_change_is_sent() {
    let (hub, page) = (Hub::default(), TestPage::new("start"));
    let mut stream = watch(&hub, "/", &page, Since::Nothing).unwrap();
    stream.next().await.unwrap();
    after(SECOND).await;

    let (renders, start) = (page.renders(), tokio::time::Instant::now());
    for n in 0..1000 {
        page.set(&format!("storm {n}"));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    page.set("last");
    let pauses = start.elapsed().as_millis() / Pace::default().pause.as_millis();
    after(SECOND).await;
    assert!(data_of(&stream.next().await.unwrap()).contains("last"));
    assert!(stream.next().now_or_never().is_none());
    // The first at once, and the last after the storm.
    let renders = (page.renders() - renders) as u128;
    assert!((2..=pauses + 2).contains(&renders), "{renders} in {pauses} pauses");
}

#[tokio::test(start_paused = true)]
async fn changes_within_one_pause_are_one_render_at_its_end() {
    let (hub, page) = (Hub::default(), TestPage::new("start"));
    let mut stream = watch(&hub, "/", &page, Since::Nothing).unwrap();
    stream.next().await.unwrap();
    for n in 0..1000 {
        page.set(&n.to_string());
        tokio::task::yield_now().await;
    }
    assert_eq!(page.renders(), 1);
    assert!(data_of(&stream.next().await.unwrap()).contains("999"));
    after(SECOND).await;
    assert_eq!(page.renders(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_sent_the_newest_only() {
    let (hub, page) = (Hub::default(), TestPage::new("1"));
    let mut slow = watch(&hub, "/", &page, Since::Nothing).unwrap();
    let base = slow.next().await.unwrap().id;
    for value in ["2", "3", "4"] {
        page.set(value);
        after(SECOND).await;
    }
    let event = slow.next().await.unwrap();
    assert!(matches!(
        serde_json::from_str(&event.data).unwrap(),
        Message::Splice { base: from, ins, .. } if from == base && ins == "4"
    ));
    assert!(slow.next().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_render_that_looks_the_same_is_not_sent() {
    let (hub, page) = (Hub::default(), TestPage::new("1"));
    let mut stream = watch(&hub, "/", &page, Since::Nothing).unwrap();
    let one = stream.next().await.unwrap();
    page.set("2");
    let two = stream.next().await.unwrap();
    page.set("2");
    after(SECOND).await;
    assert_eq!(page.renders(), 3);
    assert!(stream.next().now_or_never().is_none());
    // Nor does it take from a late comer the change that it made no difference to.
    let mut late = watch(&hub, "/", &page, Since::Held(one.id)).unwrap();
    assert_eq!(late.next().await, Some(two));
}

#[tokio::test(start_paused = true)]
async fn a_failing_render_is_tried_again_later_and_later() {
    for failure in [page::Outcome::Fails, page::Outcome::Panics, page::Outcome::Hangs] {
        let pace = Pace { render_timeout: Duration::from_millis(1), ..Pace::default() };
        let (hub, page) = (Hub::new(Limits::default(), pace), TestPage::new("1"));
        let mut stream = watch(&hub, "/", &page, Since::Nothing).unwrap();
        stream.next().await.unwrap();
        after(SECOND).await;

        page.set_outcome(failure);
        page.set("2");
        let mut tries = vec![];
        let start = tokio::time::Instant::now();
        while tries.len() < 8 {
            let renders = page.renders();
            let next = async {
                while page.renders() == renders {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            tokio::time::timeout(60 * SECOND, next).await.expect("it is tried again");
            tries.push(start.elapsed().as_secs());
        }
        let gaps: Vec<_> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
        for (gap, expected) in gaps.iter().zip([1, 2, 4, 8, 16, 30, 30]) {
            assert!(gap.abs_diff(expected) <= 1, "{failure:?}: {gaps:?}");
        }
        assert!(stream.next().now_or_never().is_none(), "what it shows stays");

        page.set_outcome(page::Outcome::Renders);
        assert!(data_of(&stream.next().await.unwrap()).contains("2"));

        // The next failure starts at one second again.
        page.set_outcome(failure);
        page.set("3");
        after(Duration::from_millis(100)).await;
        page.set_outcome(page::Outcome::Renders);
        let event = tokio::time::timeout(2 * SECOND, stream.next()).await.expect("tried again after 1 s");
        assert!(data_of(&event.unwrap()).contains("3"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_watcher_ends_the_renders() {
    let (hub, page) = (Hub::default(), TestPage::new("1"));
    let mut one = watch(&hub, "/", &page, Since::Nothing).unwrap();
    let two = watch(&hub, "/", &page, Since::Nothing).unwrap();
    one.next().await.unwrap();
    drop(two);
    page.set("2");
    assert!(one.next().await.is_some());
    assert_eq!((hub.watchers(), hub.keys()), (1, 1));

    drop(one);
    assert_eq!((hub.watchers(), hub.keys()), (0, 0));
    page.set("3");
    after(SECOND).await;
    assert_eq!(page.renders(), 2);
    assert_eq!(page.waiting(), 0, "nobody waits for a change any more");

    let mut again = watch(&hub, "/", &page, Since::Nothing).unwrap();
    assert!(data_of(&again.next().await.unwrap()).contains("3"));
}

#[tokio::test(start_paused = true)]
async fn what_is_full_takes_no_more_and_takes_again_once_somebody_left() {
    let limits = Limits { watchers: 3, keys: 2, ..Limits::default() };
    let (hub, page) = (Hub::new(limits, Pace::default()), TestPage::new("1"));
    let a = watch(&hub, "/a", &page, Since::Nothing).unwrap();
    let b = watch(&hub, "/b", &page, Since::Nothing).unwrap();
    assert_eq!(watch(&hub, "/c", &page, Since::Nothing).err(), Some(Error::Full { what: "keys", limit: 2 }));
    let _again = watch(&hub, "/a", &page, Since::Nothing).unwrap();
    assert_eq!(
        watch(&hub, "/a", &page, Since::Nothing).err(),
        Some(Error::Full { what: "watchers", limit: 3 })
    );
    assert_eq!((hub.watchers(), hub.keys()), (3, 2));
    drop((a, b));
    assert!(watch(&hub, "/c", &page, Since::Nothing).is_ok());
}

#[tokio::test(start_paused = true)]
async fn renders_at_a_time_are_bounded() {
    let limits = Limits { renders: 2, ..Limits::default() };
    let (hub, page) = (Hub::new(limits, Pace::default()), TestPage::new("1"));
    page.hold_renders();
    let mut streams: Vec<_> =
        (0..10).map(|n| watch(&hub, &n.to_string(), &page, Since::Nothing).unwrap()).collect();
    after(SECOND).await;
    assert_eq!(page.renders(), 2);
    page.release_renders();
    for stream in &mut streams {
        assert!(stream.next().await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_key_ends_its_streams_and_no_others() {
    let (hub, page) = (Hub::default(), TestPage::new("1"));
    let mut gone = watch(&hub, "/me", &page, Since::Nothing).unwrap();
    let mut stays = watch(&hub, "/", &page, Since::Nothing).unwrap();
    gone.next().await.unwrap();
    stays.next().await.unwrap();
    hub.close("/me");
    assert_eq!(gone.next().await, None);
    // Somebody new under the same key is not ended by the old one's leaving.
    let mut successor = watch(&hub, "/me", &page, Since::Nothing).unwrap();
    drop(gone);
    assert!(successor.next().await.is_some());
    page.set("2");
    assert!(successor.next().await.is_some() && stays.next().await.is_some());
    assert_eq!((hub.watchers(), hub.keys()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_shuts_down_ends_all_streams_and_takes_none() {
    let (hub, page) = (Hub::default(), TestPage::new("1"));
    let mut stream = watch(&hub, "/", &page, Since::Nothing).unwrap();
    stream.next().await.unwrap();
    hub.shutdown();
    assert_eq!(stream.next().await, None);
    assert_eq!(watch(&hub, "/", &page, Since::Nothing).err(), Some(Error::Closed));
}
