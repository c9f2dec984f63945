//! Bringing the database up to date.
//!
//! | file | holds |
//! |---|---|
//! | `status` | what is applied, pending, changed, unknown (pure) |
//! | `lock` | one instance at a time |
//! | `secret` | what only the instances know |
//! | `postgres`, `sqlite` | one database while it is migrated |

mod lock;
mod postgres;
mod secret;
mod sqlite;
mod status;

pub use status::{ShardStatus, Status, Step};

use crate::{
    Db, Error,
    config::Config,
    db::{Shard, Store, slot_map},
    pool::postgres::Use,
    shard::{ONLY, claim, unclaimed},
};
use lock::Lock;
use postgres::Fenced;
use sqlx::{
    Connection as _,
    migrate::{Migration, Migrator},
};
use status::{Applied, compare, forward, listed};

/// The steps by which a database comes to be, as `sqlx::migrate!` embeds them: the same for both databases, or some of their
/// own for PostgreSQL.
#[derive(Debug)]
pub struct Migrations {
    all: Migrator,
    postgres: Option<Migrator>,
}

/// What was applied to a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migrated {
    /// The shard's name.
    pub shard: String,
    /// What was applied now, in order; nothing where it was up to date.
    pub applied: Vec<Step>,
}

impl From<Migrator> for Migrations {
    fn from(all: Migrator) -> Self {
        Self { all, postgres: None }
    }
}

impl Migrations {
    /// With other steps for PostgreSQL.
    #[must_use]
    pub fn postgres(self, steps: Migrator) -> Self {
        Self { postgres: Some(steps), ..self }
    }

    fn of(&self, shard: &Shard) -> &Migrator {
        match (&shard.store, &self.postgres) {
            (Store::Postgres(_), Some(steps)) => steps,
            _ => &self.all,
        }
    }
}

impl<B> Db<B> {
    /// Applies the migrations that are missing, on one shard after the other. Of several instances that do so at once, one
    /// does, and the others wait for it, for ten minutes at most.
    ///
    /// Each is applied in a transaction together with its row in the table `_sqlx_migrations`, which is that of sqlx's
    /// command; one whose file begins with `-- no-transaction` is not. Those that a newer program has applied are a warning.
    ///
    /// Where the first shard is PostgreSQL, it also makes the table of the application's [secret](Db::secret).
    ///
    /// # Errors
    /// [`Error::Migration`] for the one that failed: those before it are applied. [`Error::MigrationChanged`],
    /// [`Error::MigrationLock`], [`Error::Migrate`]. All name the shard.
    pub async fn migrate(&self, migrations: &Migrations) -> Result<Vec<Migrated>, Error> {
        self.each(migrations, false).await
    }

    /// Drops everything, and applies all migrations anew. On PostgreSQL all schemas go that this user owns, with what is in
    /// them; the current one is made again.
    ///
    /// # Errors
    /// As [`Db::migrate`]; [`Error::Migrate`] where the database is in use.
    pub async fn reset(&self, migrations: &Migrations) -> Result<Vec<Migrated>, Error> {
        self.each(migrations, true).await
    }

    async fn each(&self, migrations: &Migrations, anew: bool) -> Result<Vec<Migrated>, Error> {
        let cluster = self.cluster();
        let mut done = Vec::with_capacity(cluster.shards().len());
        for shard in cluster.shards() {
            let only = cluster.shards().len() == 1;
            let applied = run(shard, migrations.of(shard), &cluster.config, only, anew).await?;
            done.push(Migrated { shard: shard.name.clone(), applied });
        }
        if let Some(first) = cluster.shards().first() {
            secret::make(first, &cluster.config).await?;
        }
        self.claim().await?;
        Ok(done)
    }

    /// Where there are several shards of PostgreSQL, lets each that is new own the slots that are configured.
    async fn claim(&self) -> Result<(), Error> {
        let pools = self.fenced();
        if pools.is_empty() {
            return Ok(());
        }
        let pools: Vec<_> = pools.iter().collect();
        let claimed = claim(&pools, &slot_map(&self.cluster().config)?).await;
        claimed.map_err(|error| Error::Config(error.to_string()))?;
        // Seeding comes next, and databases that were made anew have all that was moved back where it is configured.
        self.cluster().refresh_slots().await;
        Ok(())
    }

    /// The primaries of the shards, where there are several and each knows its slots.
    fn fenced(&self) -> Vec<sqlx::PgPool> {
        let shards = self.cluster().shards();
        let primaries = shards.iter().filter_map(|shard| Some(shard.group()?.primary()?.1.pool(Use::Write)));
        let pools: Vec<_> = primaries.collect();
        if shards.len() > 1 && pools.len() == shards.len() { pools } else { Vec::new() }
    }

    /// How the migrations of this program and each shard stand to each other.
    ///
    /// # Errors
    /// [`Error::Migrate`] where a shard does not answer.
    pub async fn status(&self, migrations: &Migrations) -> Result<Vec<ShardStatus>, Error> {
        let cluster = self.cluster();
        let mut all = Vec::with_capacity(cluster.shards().len());
        for shard in cluster.shards() {
            let applied = applied(shard, &cluster.config).await?;
            let status = compare(migrations.of(shard), &applied);
            all.push(ShardStatus { shard: shard.name.clone(), status });
        }
        Ok(all)
    }

    /// Makes sure that nothing lacks, without changing anything.
    ///
    /// # Errors
    /// [`Error::Pending`] with what lacks, and as [`Db::status`].
    pub async fn check(&self, migrations: &Migrations) -> Result<(), Error> {
        let mut lacking = Vec::new();
        for ShardStatus { shard, status } in self.status(migrations).await? {
            judge(&shard, &status)?;
            if !status.pending.is_empty() {
                lacking.push(format!("`{shard}` lacks {}", listed(&status.pending)));
            }
        }
        let pools = self.fenced();
        if lacking.is_empty() && !pools.is_empty() {
            let pools: Vec<_> = pools.iter().collect();
            let new = unclaimed(&pools, &slot_map(&self.cluster().config)?).await;
            let new = new.map_err(|error| Error::Config(error.to_string()))?;
            lacking.extend(new.iter().map(|shard| format!("`{shard}` lacks its name and its slots")));
        }
        if lacking.is_empty() { Ok(()) } else { Err(Error::Pending(lacking.join("; "))) }
    }

    /// Runs `work` in one instance at a time, and never while another one migrates: to fill a database. `work` must not
    /// migrate.
    ///
    /// # Errors
    /// [`Error::MigrationLock`] after ten minutes, [`Error::Migrate`] where the database does not answer.
    pub async fn alone<T>(&self, work: impl Future<Output = T>) -> Result<T, Error> {
        let cluster = self.cluster();
        let lock = match cluster.shards().first() {
            Some(first) => Some(Lock::take(first, &cluster.config).await?),
            None => None,
        };
        let done = work.await;
        if let Some(lock) = lock {
            lock.release().await;
        }
        Ok(done)
    }
}

/// Brings one shard up to date, or makes it anew; what was applied.
async fn run(
    shard: &Shard,
    steps: &Migrator,
    config: &Config,
    only: bool,
    anew: bool,
) -> Result<Vec<Step>, Error> {
    let (had, fenced) = found(shard, config).await?;
    let pending = anew || !wanted(shard, steps, &had)?.is_empty();
    // Most starts find nothing to do, and need no lock to know.
    if !pending && fenced == Fenced::Now {
        return Ok(Vec::new());
    }
    let mut lock = Lock::take(shard, config).await?;
    let mut session = Session::open(shard, config).await?;
    if anew {
        session.clear().await.map_err(|error| in_use(shard, &error))?;
    }
    fence(shard, &mut session, only, pending).await?;
    if !pending {
        session.close().await;
        lock.release().await;
        return Ok(Vec::new());
    }
    session.prepare().await.map_err(|error| failed(&shard.name, &error))?;
    let wanted = wanted(shard, steps, &session.applied(shard).await?)?;
    let mut done = Vec::with_capacity(wanted.len());
    for migration in wanted {
        lock.holds().await?;
        session.apply(migration).await.map_err(|error| Error::Migration {
            shard: shard.name.clone(),
            step: migration.into(),
            reason: format!("{error}{}", session.advice(migration, &error)),
        })?;
        done.push(Step::from(migration));
    }
    session.close().await;
    lock.release().await;
    Ok(done)
}

/// Puts the fence of a shard there, where there is none or an older one: on the only shard too, so that the same
/// migrations run there, and another one can be added.
async fn fence(shard: &Shard, session: &mut Session, only: bool, pending: bool) -> Result<(), Error> {
    let had = session.applied(shard).await?;
    let name = match session.fenced().await.map_err(|error| failed(&shard.name, &error))? {
        Fenced::Now => return Ok(()),
        Fenced::Never if only => Some(shard.name.as_str()),
        // Migrated, and never told what it owns: it has been the only one until now, and has the rows of all slots.
        Fenced::Never if !had.is_empty() => Some(ONLY),
        Fenced::Never | Fenced::Old => None,
    };
    match session.install(name).await {
        Err(error) if !only => Err(failed(&shard.name, &error)),
        // An application that never shards does not need it; migrations that do will say so.
        Err(error) if pending => {
            tracing::warn!(shard = shard.name, %error, "the tables and functions for shards cannot be made");
            Ok(())
        }
        Err(error) => {
            tracing::debug!(shard = shard.name, %error, "the tables and functions for shards cannot be made");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// What a shard has had, and its fence.
async fn found(shard: &Shard, config: &Config) -> Result<(Vec<Applied>, Fenced), Error> {
    let mut session = Session::open(shard, config).await?;
    let applied = session.applied(shard).await;
    let fenced = session.fenced().await.map_err(|error| failed(&shard.name, &error));
    session.close().await;
    Ok((applied?, fenced?))
}

/// What a shard has had.
async fn applied(shard: &Shard, config: &Config) -> Result<Vec<Applied>, Error> {
    let mut session = Session::open(shard, config).await?;
    let applied = session.applied(shard).await;
    session.close().await;
    applied
}

/// What is to be applied.
fn wanted<'m>(shard: &Shard, steps: &'m Migrator, applied: &[Applied]) -> Result<Vec<&'m Migration>, Error> {
    let status = compare(steps, applied);
    judge(&shard.name, &status)?;
    let pending =
        |migration: &&Migration| status.pending.iter().any(|step| step.version == migration.version);
    Ok(forward(steps).into_iter().filter(pending).collect())
}

/// Whether this program can go on with what the database has had.
fn judge(shard: &str, status: &Status) -> Result<(), Error> {
    if !status.unknown.is_empty() {
        let steps = listed(&status.unknown);
        tracing::warn!(
            shard,
            steps,
            "a newer program has migrated the database; this one goes on with what it knows"
        );
    }
    if status.changed.is_empty() {
        return Ok(());
    }
    Err(Error::MigrationChanged { shard: shard.to_owned(), steps: listed(&status.changed) })
}

fn failed(shard: &str, error: &sqlx::Error) -> Error {
    Error::Migrate { shard: shard.to_owned(), reason: error.to_string() }
}

fn in_use(shard: &Shard, error: &sqlx::Error) -> Error {
    // 55P03, lock_not_available: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
    let locked = error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("55P03"));
    let advice = if locked { "; it is in use: stop the application first" } else { "" };
    Error::Migrate { shard: shard.name.clone(), reason: format!("{error}{advice}") }
}

/// One database while it is looked at or migrated.
enum Session {
    Postgres(postgres::Session),
    Sqlite(sqlite::Session),
}

impl Session {
    async fn open(shard: &Shard, config: &Config) -> Result<Self, Error> {
        Ok(match &shard.store {
            Store::Postgres(group) => Self::Postgres(postgres::Session {
                conn: postgres::connect(group, &shard.name, config).await?,
                pooler: config.pooler,
            }),
            Store::Sqlite(store) => {
                let conn = store.writer.acquire().await.map_err(|error| failed(&shard.name, &error))?;
                Self::Sqlite(sqlite::Session { conn })
            }
        })
    }

    async fn applied(&mut self, shard: &Shard) -> Result<Vec<Applied>, Error> {
        let applied = match self {
            Self::Postgres(session) => session.applied().await,
            Self::Sqlite(session) => session.applied().await,
        };
        applied.map_err(|error| failed(&shard.name, &error))
    }

    /// What there is of a fence; SQLite needs none.
    async fn fenced(&mut self) -> Result<Fenced, sqlx::Error> {
        match self {
            Self::Postgres(session) => session.fence().await,
            Self::Sqlite(_) => Ok(Fenced::Now),
        }
    }

    async fn install(&mut self, only: Option<&str>) -> Result<(), sqlx::Error> {
        match self {
            Self::Postgres(session) => session.install(only).await,
            Self::Sqlite(_) => Ok(()),
        }
    }

    async fn prepare(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Postgres(session) => session.prepare().await,
            Self::Sqlite(session) => session.prepare().await,
        }
    }

    async fn apply(&mut self, migration: &Migration) -> Result<(), sqlx::Error> {
        match self {
            Self::Postgres(session) => session.apply(migration).await,
            Self::Sqlite(session) => session.apply(migration).await,
        }
    }

    async fn clear(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Postgres(session) => session.clear().await,
            Self::Sqlite(session) => session.clear().await,
        }
    }

    /// Says farewell, so that the server has nothing to note in its log.
    async fn close(self) {
        if let Self::Postgres(session) = self {
            drop(session.conn.close().await);
        }
    }

    fn advice(&self, migration: &Migration, error: &sqlx::Error) -> &'static str {
        match self {
            Self::Postgres(_) => postgres::advice(migration, error),
            Self::Sqlite(_) => "",
        }
    }
}
