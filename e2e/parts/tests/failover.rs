//! Another server takes the place of one that is gone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;
use tropos_parts::{ClusterOptions, Redis, RedisCluster, SERVICE, Sentinels};

#[tokio::test]
async fn sentinels_make_the_replica_the_master_when_that_is_killed() {
    let master = Redis::start().await.unwrap();
    let replica = Redis::replica_of(&master).await.unwrap();
    let sentinels = Sentinels::start(&master, 3).await.unwrap();
    let url = sentinels.url();
    assert!(url.starts_with("redis+sentinel://127.0.0.1:") && url.ends_with(SERVICE), "{url}");
    assert_eq!(url.split(',').count(), 3);
    assert_eq!(sentinels.master().await.unwrap(), master.address());
    master.cli(["SET", "k", "v"]).await.unwrap();
    master.replicated_to(&replica).await.unwrap();
    master.kill().await.unwrap();
    let new = sentinels.failed_over(master.address(), Duration::from_secs(15)).await.unwrap();
    assert_eq!(new, replica.address());
    assert_eq!(replica.cli(["GET", "k"]).await.unwrap(), "v");
    assert_eq!(replica.cli(["SET", "k", "w"]).await.unwrap(), "OK");
}

#[tokio::test]
async fn a_cluster_serves_all_slots_and_says_whose_a_key_is() {
    let cluster = RedisCluster::start().await.unwrap();
    assert_eq!((cluster.nodes().len(), cluster.url().split(',').count()), (3, 3));
    for key in ["a", "b", "c", "{tag}x", "{tag}y"] {
        let node = cluster.master_of(key).await.unwrap();
        assert_eq!(cluster.nodes()[node].cli(["SET", key, "v"]).await.unwrap(), "OK", "{key}");
        let other = &cluster.nodes()[(node + 1) % 3];
        assert!(other.cli(["GET", key]).await.unwrap_err().to_string().contains("MOVED"), "{key}");
    }
    assert_eq!(cluster.master_of("{tag}x").await.unwrap(), cluster.master_of("{tag}y").await.unwrap());
}

#[tokio::test]
async fn a_replica_takes_over_the_slots_of_a_master_that_is_killed() {
    let cluster = ClusterOptions::new().replicas().start().await.unwrap();
    let old = cluster.master_of("k").await.unwrap();
    cluster.nodes()[old].cli(["SET", "k", "v"]).await.unwrap();
    let replica = &cluster.nodes()[old + 3];
    cluster.nodes()[old].replicated_to(replica).await.unwrap();
    assert_eq!(cluster.kill_master_of("k").await.unwrap(), old);
    cluster.wait_until_ok().await.unwrap();
    let new = cluster.master_of("k").await.unwrap();
    assert_eq!(new, old + 3, "its own replica");
    assert_eq!(cluster.nodes()[new].cli(["GET", "k"]).await.unwrap(), "v");
    cluster.restart(old).await.unwrap();
    cluster.wait_until_ok().await.unwrap();
}
