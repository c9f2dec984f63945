//! Invalidation by whoever writes the database: `psql`, another service, a nightly job.
//!
//! A trigger writes what has changed into the table `tropos.changes`, in the writer's own transaction, so that it is there
//! when the change is, and only then. A [`Bridge`] takes it from there, has the tags invalidated, and commits the
//! taking when every instance knows: at least once, and nothing is lost when a connection, an instance or the store that
//! instances share dies in between. `NOTIFY` only says that it is worth while to look, since it is lost on whoever is
//! away; a bridge looks every few seconds besides.
//!
//! A migration prepares the database by [`install_sql`], and names the tables and their tags:
//!
//! ```sql
//! select tropos.watch('product', 'product-{id}', 'family-{family}', 'products');
//! ```
//!
//! What stands between braces is a column; a change outdates the tags of a row as it was and as it is. They are made as
//! those of `#[cached(tags = ["product-{id}"])]` are ([`tag_of`]). A tag without a column is outdated by any change of the table.
//!
//! ```no_run
//! # fn example(engine: tropos_cache::Engine) -> Result<(), tropos_db::sqlx::Error> {
//! use tropos_db::bridge::Bridge;
//! // The database itself and not a pooler before it: a transaction pooler hands no notifications on.
//! let address: tropos_db::sqlx::postgres::PgConnectOptions = "postgres://shop@db-1/shop".parse()?;
//! let bridge = Bridge::start(address, engine);
//! println!("{} changes taken", bridge.stats().taken);
//! # Ok(()) }
//! ```
//!
//! Every instance may run one; they share the work. Instances without a shared store cannot share a database's changes:
//! each change is taken by one of them, and only the instances of its own tag sequence hear of it.

mod backoff;
mod options;
mod session;
mod sql;
mod stats;
mod task;
mod template;

pub use options::{BridgeOptions, address};
pub use sql::{install, install_sql, unwatch_sql, watch_sql};
pub use stats::BridgeStats;

use futures::future::BoxFuture;
use stats::Counters;
use std::{collections::HashMap, fmt, sync::Arc};
use template::Template;
use tokio::{sync::oneshot, task::JoinHandle};
use tropos_cache::{Engine, Strength};
use tropos_core::{Failure, Tag};

/// Who is told which tags are outdated.
///
/// [`Engine`] invalidates them hard. An implementation of one's own may do so softly, or warm what was hit.
pub trait Invalidate: Send + Sync + 'static {
    /// Invalidates, and returns when every instance knows. At most [500](BridgeOptions::rows) tags at a time, each once.
    ///
    /// It may be called again for what it has done already.
    fn invalidate<'a>(&'a self, tags: &'a [Tag]) -> BoxFuture<'a, Result<(), Failure>>;
}

impl Invalidate for Engine {
    fn invalidate<'a>(&'a self, tags: &'a [Tag]) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            Engine::invalidate(self, tags, Strength::Hard).await?;
            Ok(())
        })
    }
}

impl<I: Invalidate + ?Sized> Invalidate for Arc<I> {
    fn invalidate<'a>(&'a self, tags: &'a [Tag]) -> BoxFuture<'a, Result<(), Failure>> {
        (**self).invalidate(tags)
    }
}

/// Takes changes from the database and has their tags invalidated, in the background, until it is dropped.
///
/// It mends itself: what fails is tried again, at growing intervals of 0.1 s to 10 s.
#[must_use = "a bridge ends when it is dropped"]
pub struct Bridge {
    counters: Arc<Counters>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Bridge {
    /// Starts in the background, on tokio's current runtime; the database need not be there yet.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(options: impl Into<BridgeOptions>, invalidate: impl Invalidate) -> Self {
        let counters = Arc::new(Counters::default());
        let (stop, stopped) = oneshot::channel();
        let run = task::run(options.into(), Arc::new(invalidate), counters.clone(), stopped);
        Self { counters, stop: Some(stop), task: Some(tokio::spawn(run)) }
    }

    /// How it stands.
    pub fn stats(&self) -> BridgeStats {
        self.counters.stats()
    }

    /// What keeps it from taking changes at present. It is tried again by itself.
    pub fn trouble(&self) -> Option<String> {
        self.counters.trouble()
    }

    /// Ends it. What is being taken is finished first, which the time limits of a round bound to some 20 s.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if let Some(task) = self.task.take() {
            // It was neither aborted nor did it panic, or there is nothing left to stop.
            drop(task.await);
        }
    }
}

impl Drop for Bridge {
    /// What is being taken is given back, and taken by another.
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// The tag that a change makes of a template, `None` where a column is missing or the template is malformed.
///
/// ```
/// let tag = tropos_db::bridge::tag_of("author-{name}", &[("name", "Ursula K. Le Guin")]);
/// assert_eq!(tag.unwrap().as_str(), "author-Ursula%20K.%20Le%20Guin");
/// ```
pub fn tag_of(template: &str, columns: &[(&str, &str)]) -> Option<Tag> {
    let columns: HashMap<String, Option<String>> =
        columns.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect();
    Template::parse(template)?.tag(&columns)
}
