//! Instances whose database is a PostgreSQL with replicas.

use crate::{
    check::{Outcome, Problem, equal},
    client::{Client, Request},
    context::Context,
    instances::{Instance, Instances},
    page::Page,
    visitor::Visitor,
};
use std::time::Duration;
use tropos_parts::{PostgresCluster, Redis};

/// A primary with replicas, and instances that share it and a Redis. They end in the order of the fields.
#[derive(Debug)]
pub struct Replicated {
    /// The instances.
    pub instances: Instances,
    /// The servers of the database.
    pub cluster: PostgresCluster,
    /// With a data source of its own.
    pub c: Context,
    replicas: usize,
    _redis: Redis,
}

impl Replicated {
    /// Starts all of it. The replicas are level.
    ///
    /// # Errors
    /// [`Problem::Skipped`] where PostgreSQL or Redis is not installed; when something does not become ready.
    pub async fn start(c: Context, replicas: usize, instances: usize) -> Result<Self, Problem> {
        c.need_binary()?;
        let c = c.with_own_upstream().await?;
        let (cluster, redis) = (PostgresCluster::start(replicas).await?, Redis::start().await?);
        let urls: Vec<_> = (0..replicas).map(|replica| cluster.replica(replica).url("postgres")).collect();
        let (primary, urls) = (cluster.primary().url("postgres"), urls.join(","));
        let extra = [
            ("DATABASE_URL", primary.as_str()),
            ("DATABASE_REPLICA_URLS", urls.as_str()),
            // Much longer than anything here may take: what is over sooner did not wait for the end of these.
            ("DATABASE_WAIT_SECONDS", "60"),
            ("DATABASE_STATEMENT_SECONDS", "60"),
        ];
        let instances = Instances::start(&c, &redis, instances, &extra).await?;
        let all = Self { instances, cluster, c, replicas, _redis: redis };
        all.level().await?;
        Ok(all)
    }

    /// One of the instances.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn at(&self, place: usize) -> Result<&Instance, Problem> {
        self.instances.at_place(place % self.instances.count())
    }

    /// Waits until all replicas have replayed what has been written by now.
    ///
    /// # Errors
    /// When one does not.
    pub async fn level(&self) -> Outcome {
        for replica in 0..self.replicas {
            self.cluster.wait_until_caught_up(replica).await?;
        }
        Ok(())
    }

    /// From now on, all replicas are so far behind.
    ///
    /// # Errors
    /// When one does not take it.
    pub async fn fall_behind(&self, by: Duration) -> Outcome {
        for replica in 0..self.replicas {
            self.cluster.set_apply_delay(replica, by).await?;
        }
        Ok(())
    }

    /// Expects that each replica still has this value: what is tried then shows something.
    ///
    /// # Errors
    /// When one has another.
    pub async fn replicas_have(&self, key: &str, value: &str) -> Outcome {
        let sql = format!("select value from kv where key = '{key}'");
        for replica in 0..self.replicas {
            let found = self.cluster.replica(replica).psql("postgres", &sql).await?;
            equal(
                &format!("the row of {key} at replica {replica}, too late to show anything"),
                &*found,
                value,
            )?;
        }
        Ok(())
    }

    /// Writes a row as somebody who never comes back, and waits until all replicas have it.
    ///
    /// # Errors
    /// When it is not written.
    pub async fn settle(&self, key: &str, value: &str) -> Outcome {
        write(&mut Visitor::new(), &self.at(0)?.http(), key, value).await?.is(204)?;
        self.level().await
    }
}

/// Writes a row.
///
/// # Errors
/// When there is no whole answer.
pub async fn write(visitor: &mut Visitor, http: &Client, key: &str, value: &str) -> Result<Page, Problem> {
    let request = Request::new("POST", &format!("/api/db/{key}")).with("content-type", "text/plain");
    visitor.send(http, request.body(value)).await
}
