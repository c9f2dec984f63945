//! Several instances over Redis with sentinels, over a cluster, and while a new build takes over from an old one.

use super::{
    cases,
    instances::{paths_reach, rounds, soft_reaches, tags_reach},
};
use crate::{
    check::{Outcome, Problem, that},
    context::{Context, TOKEN},
    expect::HIT,
    instances::{Instances, Tries},
    server::Server,
};
use serde_json::{Value, json};
use std::{fs, future::Future, io, path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;
use tropos_parts::{ClusterOptions, Error, Redis, RedisCluster, RedisOptions, Sentinels};

cases! {
    27 "a cluster of three nodes carries tags, paths, prefixes and rounds of invalidations" => over_a_cluster;
    27 "a fail-over of the cluster's node that holds the tags loses no invalidation that had returned" => cluster_failover;
    27 "a fail-over by sentinels loses no invalidation that had returned" => sentinel_failover;
    - "a password and the number of a database in the address are used" => login;
    - "applications with prefixes of their own in one Redis have nothing to do with each other" => prefixes;
    - "a new build does not read the entries of the old one, and both hear of invalidations" => rolling_deploy;
}

/// From the death of a Redis until its replica has taken over and the instances have found it.
const FAILOVER: Duration = Duration::from_secs(15);

/// Where the tags lie, by their name in Redis: all in the slot of this key.
const TAGS: &str = "{tropos:tags}:state";

async fn over_a_cluster(c: Context) -> Outcome {
    c.need_binary()?;
    let c = c.with_own_upstream().await?;
    let cluster = RedisCluster::start().await?;
    let both = Arc::new(Instances::sharing(&c, &cluster.url(), 2).await?);
    tags_reach(&c, &both).await?;
    soft_reaches(&c, &both).await?;
    paths_reach(&c, &both).await?;
    rounds(c, both, 0, 20).await
}

async fn cluster_failover(c: Context) -> Outcome {
    c.need_binary()?;
    let c = c.with_own_upstream().await?;
    let cluster = ClusterOptions::new().replicas().start().await?;
    let both = Instances::sharing(&c, &cluster.url(), 2).await?;
    let kill = async { cluster.kill_master_of(TAGS).await.map(drop) };
    let taken_over = async { cluster.wait_until_ok().await };
    keeps_invalidations(&c, both, &cluster.url(), kill, taken_over).await
}

async fn sentinel_failover(c: Context) -> Outcome {
    c.need_binary()?;
    let c = c.with_own_upstream().await?;
    let master = Redis::start().await?;
    let _replica = Redis::replica_of(&master).await?;
    let sentinels = Sentinels::start(&master, 3).await?;
    let both = Instances::sharing(&c, &sentinels.url(), 2).await?;
    let kill = async { master.kill().await };
    let taken_over = async { sentinels.failed_over(master.address(), FAILOVER).await.map(drop) };
    keeps_invalidations(&c, both, &sentinels.url(), kill, taken_over).await
}

/// Redis dies right after invalidations have returned: those may not have reached the replica that takes over.
async fn keeps_invalidations(
    c: &Context,
    both: Instances,
    url: &str,
    kill: impl Future<Output = Result<(), Error>>,
    taken_over: impl Future<Output = Result<(), Error>>,
) -> Outcome {
    let keys: Vec<_> = (0..12).map(|_| c.key("kept")).collect();
    let path = |key: &str| format!("/demand/{key}");
    for key in &keys {
        c.upstream.set(&format!("demand-{key}"), "old");
        both.all_show(&path(key), "old").await?;
        c.upstream.set(&format!("demand-{key}"), "new");
    }
    for (number, key) in keys.iter().enumerate() {
        both.invalidate(c, number % 2, &format!("demand-{key}")).await?;
    }
    kill.await?;
    // Some are asked for while nobody has taken over, the others only afterwards.
    let (at_once, later) = keys.split_at(keys.len() / 2);
    for key in at_once {
        both.all_show(&path(key), "new").await.map_err(|p| p.during("right after the death of Redis"))?;
    }
    taken_over.await?;
    for key in later {
        both.all_show(&path(key), "new").await.map_err(|p| p.during("after the fail-over"))?;
    }
    both.settled(&path(&c.key("settled")), FAILOVER).await?;
    for key in &keys {
        both.all_show(&path(key), "new").await.map_err(|p| p.during("once all had settled"))?;
    }
    // Invalidations work again, perhaps not at the first try.
    let http = both.at_place(0)?.http();
    let tries = Tries::within(FAILOVER, "invalidations still fail");
    loop {
        let status = c.revalidate_at(&http, &json!({ "tags": ["unused"] })).await?.status;
        that(status == 200 || status == 503, format!("revalidation answered {status}"))?;
        if status == 200 {
            break;
        }
        tries.again().await?;
    }
    let both = Arc::new(both);
    rounds(c.clone(), both.clone(), 0, 10).await?;
    // Nor does one that knew nothing before get at what is old.
    let late = Instances::sharing(c, url, 1).await?;
    for key in &keys {
        late.all_show(&path(key), "new")
            .await
            .map_err(|p| p.during("an instance that started afterwards"))?;
    }
    Ok(())
}

async fn rolling_deploy(c: Context) -> Outcome {
    let binary = c.need_binary()?.to_owned();
    let c = c.with_own_upstream().await?;
    let redis = Redis::start().await?;
    let url = redis.url();
    let extra = [("REDIS_URL", &*url)];
    let other_build = other_build(&binary)?;
    let file = binary.file_name().ok_or_else(|| Problem::Failed("the binary has no name".into()))?;
    let old: Server = c.own_server(Some(TOKEN), &extra).await?;
    let new: Server = c.own_server_of(&other_build.path().join(file), Some(TOKEN), &extra).await?;
    for (by, other) in [(&old, &new), (&new, &old)] {
        let key = c.key("build");
        let (path, read) = (format!("/demand/{key}"), format!("demand-{key}"));
        c.upstream.set(&read, "first");
        by.http().get(&path).await?.shows("first")?;
        c.upstream.set(&read, "second");
        other.http().get(&path).await?.shows("second").map_err(|p| p.during("the other build"))?;
        by.http().get(&path).await?.shows("first").map_err(|p| p.during("its own entry"))?;
        c.upstream.set(&read, "third");
        c.invalidate_at(&by.http(), json!({ "tags": [read] })).await?;
        for server in [other, by] {
            server.http().get(&path).await?.shows("third")?;
        }
    }
    Ok(())
}

async fn login(c: Context) -> Outcome {
    c.need_binary()?;
    let c = c.with_own_upstream().await?;
    let redis = RedisOptions::new().password("p4ss").start().await?;
    let both = Arc::new(Instances::sharing(&c, &format!("{}/3", redis.url()), 2).await?);
    rounds(c.clone(), both.clone(), 0, 5).await?;
    let used = redis.cli(["INFO", "keyspace"]).await?;
    that(used.contains("db3:") && !used.contains("db0:"), format!("keys lie elsewhere:\n{used}"))?;
    for instance in both.iter() {
        that(!instance.server.log().contains("p4ss"), "the password is in the log")?;
    }
    Ok(())
}

async fn prefixes(c: Context) -> Outcome {
    c.need_binary()?;
    let c = c.with_own_upstream().await?;
    let redis = Redis::start().await?;
    let one = Instances::sharing(&c, &format!("{}?prefix=one", redis.url()), 1).await?;
    let other = Instances::sharing(&c, &format!("{}?prefix=other", redis.url()), 1).await?;
    let key = c.key("prefix");
    let (path, read) = (format!("/demand/{key}"), format!("demand-{key}"));
    c.upstream.set(&read, "first");
    one.all_show(&path, "first").await?;
    c.upstream.set(&read, "second");
    other.all_show(&path, "second").await?;
    c.upstream.set(&read, "third");
    one.invalidate(&c, 0, &read).await?;
    one.all_show(&path, "third").await?;
    other.all_show(&path, "second").await?;
    other.at_place(0)?.get(&path).await?.cache(HIT)?;
    for prefix in ["one:*", "other:*"] {
        that(!redis.cli(["KEYS", prefix]).await?.is_empty(), format!("no key {prefix} in Redis"))?;
    }
    let keys = redis.cli(["KEYS", "*"]).await?;
    that(
        keys.lines().all(|key| key.trim_start_matches('{').starts_with('o')),
        format!("keys without prefix:\n{keys}"),
    )
}

/// The same build under another name.
fn other_build(binary: &Path) -> Result<TempDir, Problem> {
    let folder = tempfile::Builder::new().prefix("tropos-cases-build-").tempdir()?;
    let Some(from) = binary.canonicalize()?.parent().map(Path::to_owned) else {
        return Err(Problem::Failed("the binary lies nowhere".into()));
    };
    copy(&from, folder.path())?;
    let manifest = folder.path().join("manifest.json");
    let mut text: Value = serde_json::from_slice(&fs::read(&manifest)?).map_err(io::Error::from)?;
    match text.get_mut("build_id") {
        Some(id) => *id = json!("0123456789abcdef"),
        None => return Err(Problem::Failed("manifest.json has no build_id".into())),
    }
    // A copy that is a link to the original would change that.
    fs::remove_file(&manifest)?;
    fs::write(&manifest, text.to_string())?;
    Ok(folder)
}

/// Links files where it can: a binary is large.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy(&entry.path(), &target)?;
        } else if fs::hard_link(entry.path(), &target).is_err() {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
