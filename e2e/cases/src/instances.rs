//! Several servers that share a store, each in a folder of its own and on ports of its own.

use crate::{
    check::{Outcome, Problem, fail, that},
    client::Client,
    context::{Context, TOKEN},
    page::Page,
    server::Server,
};
use serde_json::{Value, json};
use std::{future::Future, time::Duration};
use tokio::time::{Instant, sleep};
use tropos_parts::{FaultProxy, Redis};

/// One server of several.
#[derive(Debug)]
pub struct Instance {
    /// The server.
    pub server: Server,
    /// Stands between it and Redis, where it alone is to be cut off.
    pub proxy: Option<FaultProxy>,
}

impl Instance {
    /// A client of its public listener.
    pub fn http(&self) -> Client {
        self.server.http()
    }

    /// Fetches a path.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn get(&self, path: &str) -> Result<Page, Problem> {
        self.http().get(path).await
    }

    /// A number among its metrics.
    ///
    /// # Errors
    /// When there is no such number.
    pub async fn metric(&self, name: &str) -> Result<f64, Problem> {
        let page = self.server.admin().get("/metrics").await?;
        let text = page.text();
        let number = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        match number {
            Some(number) => Ok(number),
            None => fail(format!("/metrics of the admin listener has no {name}")),
        }
    }

    /// Waits until a metric has a value.
    ///
    /// # Errors
    /// When it has not within `patience`.
    pub async fn until_metric(&self, name: &str, value: f64, patience: Duration) -> Outcome {
        let tries = Tries::within(patience, "a metric has not the value that it should have");
        while self.metric(name).await? != value {
            tries.again().await.map_err(|problem| problem.during(&format!("{name} {value}")))?;
        }
        Ok(())
    }
}

/// Servers that share a store.
#[derive(Debug)]
pub struct Instances(Vec<Instance>);

impl Instances {
    /// Starts `count` servers that share `redis`, each by way of a proxy of its own.
    ///
    /// # Errors
    /// When one does not become ready.
    pub async fn start(
        c: &Context,
        redis: &Redis,
        count: usize,
        extra: &[(&str, &str)],
    ) -> Result<Self, Problem> {
        let mut starts = Vec::with_capacity(count);
        for _ in 0..count {
            let proxy = FaultProxy::start(redis.address()).await?;
            starts.push((redis.url_through(&proxy), Some(proxy)));
        }
        Self::at(c, starts, extra).await
    }

    /// Starts `count` servers whose `REDIS_URL` is `url`.
    ///
    /// # Errors
    /// When one does not become ready.
    pub async fn sharing(c: &Context, url: &str, count: usize) -> Result<Self, Problem> {
        Self::at(c, (0..count).map(|_| (url.to_owned(), None)).collect(), &[]).await
    }

    async fn at(
        c: &Context,
        starts: Vec<(String, Option<FaultProxy>)>,
        extra: &[(&str, &str)],
    ) -> Result<Self, Problem> {
        let starting: Vec<_> = starts
            .into_iter()
            .map(|(url, proxy)| {
                let (c, mut extra) = (c.clone(), owned(extra));
                extra.push(("REDIS_URL".into(), url));
                tokio::spawn(async move {
                    let extra: Vec<_> = extra.iter().map(|(name, value)| (&**name, &**value)).collect();
                    Ok(Instance { server: c.own_server(Some(TOKEN), &extra).await?, proxy })
                })
            })
            .collect();
        Ok(Self(all(starting).await?))
    }

    /// One of them.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn at_place(&self, place: usize) -> Result<&Instance, Problem> {
        self.0.get(place).ok_or_else(|| Problem::Failed(format!("there is no instance {place}")))
    }

    /// One of them, to end it and start it again.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn at_place_mut(&mut self, place: usize) -> Result<&mut Instance, Problem> {
        self.0.get_mut(place).ok_or_else(|| Problem::Failed(format!("there is no instance {place}")))
    }

    /// The two of a pair.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn pair(&self) -> Result<[&Instance; 2], Problem> {
        Ok([self.at_place(0)?, self.at_place(1)?])
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Instance> {
        self.0.iter()
    }

    /// Fetches a path from all of them at once; the answers are in their order.
    ///
    /// # Errors
    /// When one has no whole answer.
    pub async fn get_all(&self, path: &str) -> Result<Vec<Page>, Problem> {
        let asked = self.0.iter().map(|instance| {
            let (http, path) = (instance.http(), path.to_owned());
            tokio::spawn(async move { http.get(&path).await })
        });
        all(asked.collect()).await
    }

    /// Expects that each of them shows a value.
    ///
    /// # Errors
    /// When one does not; the message says which.
    pub async fn all_show(&self, path: &str, value: &str) -> Outcome {
        for (place, page) in self.get_all(path).await?.iter().enumerate() {
            page.shows(value).map_err(|problem| problem.during(&format!("instance {place}")))?;
        }
        Ok(())
    }

    /// Waits until all of them show a value.
    ///
    /// # Errors
    /// When they do not within `patience`, and for an answer that is not 200.
    pub async fn until_all_show(&self, path: &str, value: &str, patience: Duration) -> Outcome {
        let tries = Tries::within(patience, "some instance still shows an old value");
        loop {
            let mut shown = true;
            for page in self.get_all(path).await? {
                shown &= page.is(200)?.value().as_deref() == Some(value);
            }
            if shown {
                return Ok(());
            }
            tries.again().await?;
        }
    }

    /// Waits until none of them marks its answers as degraded any more.
    ///
    /// # Errors
    /// When one does so for longer than `patience`.
    pub async fn settled(&self, path: &str, patience: Duration) -> Outcome {
        let tries = Tries::within(patience, "some instance's answers are still degraded");
        loop {
            let mut settled = true;
            for page in self.get_all(path).await? {
                settled &= page.status == 200 && !page.cache_status().is_degraded();
            }
            if settled {
                return Ok(());
            }
            tries.again().await?;
        }
    }

    /// Invalidates one tag on one of them, hard, and gives how long that took.
    ///
    /// # Errors
    /// When it does not succeed.
    pub async fn invalidate(&self, c: &Context, place: usize, tag: &str) -> Result<Duration, Problem> {
        self.invalidate_by(c, place, json!({ "tags": [tag] })).await
    }

    /// Invalidates on one of them, and gives how long that took.
    ///
    /// # Errors
    /// When it does not succeed.
    pub async fn invalidate_by(&self, c: &Context, place: usize, body: Value) -> Result<Duration, Problem> {
        let started = Instant::now();
        let http = self.at_place(place)?.http();
        let outcome = c.invalidate_at(&http, body).await;
        outcome.map_err(|problem| problem.during(&format!("invalidating on instance {place}")))?;
        Ok(started.elapsed())
    }
}

/// An answer after an invalidation: new, or marked as degraded.
///
/// # Errors
/// For an old answer that says nothing, and for anything else.
pub fn new_or_degraded(page: &Page, old: &str, new: &str) -> Outcome {
    if page.value().as_deref() == Some(old) && page.cache_status().is_degraded() {
        return page.is(200).map(drop);
    }
    page.shows(new).map(drop)
}

/// Tries again and again, within bounds.
#[derive(Debug)]
pub struct Tries {
    deadline: Instant,
    patience: Duration,
    otherwise: &'static str,
}

impl Tries {
    /// `otherwise` says what is wrong when nothing has come of it within `patience`.
    pub fn within(patience: Duration, otherwise: &'static str) -> Self {
        Self { deadline: Instant::now() + patience, patience, otherwise }
    }

    /// Waits a little before the next try.
    ///
    /// # Errors
    /// When there has been time enough.
    pub async fn again(&self) -> Outcome {
        that(Instant::now() < self.deadline, format!("{} after {:?}", self.otherwise, self.patience))?;
        sleep(Duration::from_millis(20)).await;
        Ok(())
    }
}

/// Waits for tasks; their results are in their order.
///
/// # Errors
/// The first that failed.
pub async fn all<T>(tasks: Vec<tokio::task::JoinHandle<Result<T, Problem>>>) -> Result<Vec<T>, Problem> {
    let mut results = Vec::with_capacity(tasks.len());
    for task in tasks {
        results.push(task.await.map_err(|error| Problem::Failed(error.to_string()))??);
    }
    Ok(results)
}

/// Runs several at once.
///
/// # Errors
/// The first that failed.
pub async fn side_by_side<F>(futures: impl IntoIterator<Item = F>) -> Outcome
where
    F: Future<Output = Outcome> + Send + 'static,
{
    all(futures.into_iter().map(tokio::spawn).collect()).await.map(drop)
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
