//! Starting, stopping and starting again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::TcpStream, path::Path};
use tropos_parts::{Data, Error, FaultProxy, Redis, RedisOptions};

fn exists(id: u32) -> bool {
    Path::new(&format!("/proc/{id}")).exists()
}

#[tokio::test]
async fn a_server_answers_on_a_port_of_its_own_until_it_is_dropped() {
    let (one, other) = tokio::join!(Redis::start(), Redis::start());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_ne!(one.address(), other.address());
    assert!(
        (12_000..32_000).contains(&one.address().port()),
        "no well-known port, and none that is handed out"
    );
    assert_eq!(one.url(), format!("redis://{}", one.address()));
    assert_eq!(one.cli(["SET", "k", "of one"]).await.unwrap(), "OK");
    assert_eq!(one.cli(["GET", "k"]).await.unwrap(), "of one");
    assert_eq!(other.cli(["GET", "k"]).await.unwrap(), "");
    assert!(matches!(one.cli(["NONSENSE"]).await, Err(Error::Refused { .. })));
    let id = one.id().unwrap();
    assert!(exists(id));
    drop(one);
    assert!(!exists(id), "gone, and waited for, when the drop returns");
    assert!(other.cli(["PING"]).await.is_ok());
}

#[tokio::test]
async fn a_panic_ends_the_server_too() {
    let (send, receive) = tokio::sync::oneshot::channel();
    let panicking = tokio::spawn(async move {
        let redis = Redis::start().await.unwrap();
        send.send(redis.id().unwrap()).unwrap();
        panic!("on purpose");
    });
    assert!(panicking.await.unwrap_err().is_panic());
    assert!(!exists(receive.await.unwrap()));
}

#[tokio::test]
async fn a_server_that_is_started_again_keeps_what_its_file_holds_or_nothing() {
    for (name, appendonly, data, crash, expected) in [
        ("kept", true, Data::Kept, false, "1"),
        ("kept after a crash", true, Data::Kept, true, "1"),
        ("emptied", true, Data::Emptied, true, "0"),
        ("memory alone", false, Data::Kept, false, "0"),
    ] {
        let redis = RedisOptions::new().appendonly(appendonly).start().await.unwrap();
        let (address, before) = (redis.address(), redis.id());
        redis.cli(["SET", "k", "v"]).await.unwrap();
        if crash {
            redis.kill().await.unwrap()
        } else {
            redis.stop().await.unwrap()
        }
        assert!(TcpStream::connect(address).is_err(), "{name}: refused while it does not run");
        assert!(matches!(redis.stop().await, Err(Error::NotRunning { .. })), "{name}");
        redis.restart(data).await.unwrap();
        assert_eq!(redis.address(), address, "{name}");
        assert_ne!(redis.id(), before, "{name}");
        assert_eq!(redis.cli(["DBSIZE"]).await.unwrap(), expected, "{name}");
    }
}

#[tokio::test]
async fn options_reach_the_server() {
    let options = RedisOptions::new().maxmemory("2mb", "allkeys-lru").password("secret");
    let redis = options.argument("databases", "3").start().await.unwrap();
    let setting = async |name| redis.cli(["CONFIG", "GET", name]).await.unwrap();
    assert_eq!(setting("maxmemory").await, "maxmemory\n2097152");
    assert_eq!(setting("maxmemory-policy").await, "maxmemory-policy\nallkeys-lru");
    assert_eq!(setting("databases").await, "databases\n3");
    let proxy = FaultProxy::start(redis.address()).await.unwrap();
    assert_eq!(redis.url_through(&proxy), format!("redis://:secret@{}", proxy.address()));
}

#[tokio::test]
async fn a_wrong_setting_is_told_with_what_the_server_wrote() {
    let problem = RedisOptions::new().argument("no-such-setting", "1").start().await.unwrap_err();
    assert!(matches!(problem, Error::Ended { .. }) && problem.to_string().contains("no-such-setting"));
}

#[tokio::test]
async fn a_paused_server_answers_what_came_meanwhile_once_it_goes_on() {
    let redis = Redis::start().await.unwrap();
    redis.pause().await.unwrap();
    let mut asked = Box::pin(redis.cli(["PING"]));
    let silent = tokio::time::timeout(std::time::Duration::from_millis(150), &mut asked).await;
    assert!(silent.is_err(), "nothing answers while it stands still");
    redis.resume().unwrap();
    assert_eq!(asked.await.unwrap(), "PONG");
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_of_the_test_does_not_cut_the_waits_short() {
    let redis = Redis::start().await.unwrap();
    redis.restart(Data::Kept).await.unwrap();
    redis.stop().await.unwrap();
}

#[tokio::test]
async fn a_replica_has_what_its_master_has() {
    let master = RedisOptions::new().password("secret").start().await.unwrap();
    master.cli(["SET", "k", "v"]).await.unwrap();
    let replica = Redis::replica_of(&master).await.unwrap();
    assert_eq!(replica.cli(["GET", "k"]).await.unwrap(), "v");
    assert!(matches!(replica.cli(["SET", "k", "w"]).await, Err(Error::Refused { .. })));
}
