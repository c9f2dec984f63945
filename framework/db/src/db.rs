//! The database as an application holds it.

use crate::{
    Error,
    backend::{Any, Backend, Kind},
    config::Config,
    error::without_password,
    handle::{Read, Route, Tx, Write},
    observe::{Counts, Observer, PoolStats, ServerStats, Stats, pool_name},
    pool::{postgres::Use, sqlite},
    replica::{Group, Looks},
    shard::{
        self, FanOut, ShardKey, Slot, SlotMap, SlotRanges, Slots,
        moving::{self, Move},
    },
};
use futures::future::try_join_all;
use std::{fmt, marker::PhantomData, sync::Arc};
use tropos_core::Positions;

/// A database: handles that read, handles that write, and transactions. Cheap to clone.
///
/// `B` is the view by which queries are typed: `Db` is for queries that run on SQLite and PostgreSQL alike, with `$1` for
/// what is bound; `Db<Postgres>` and `Db<Sqlite>` know all types of their database, and take sqlx's checked macros.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tropos_db::{Config, Db};
/// let db: Db = Db::connect(&Config::new("sqlite::memory:")).await?;
/// sqlx::query("create table note (text text not null)").execute(db.write()).await?;
/// sqlx::query("insert into note values ($1)").bind("hello").execute(db.write()).await?;
/// let (text,): (String,) = sqlx::query_as("select text from note").fetch_one(db.read()).await?;
/// assert_eq!(text, "hello");
/// # Ok(()) }
/// ```
pub struct Db<B = Any> {
    cluster: Arc<Cluster>,
    /// The place of the shard that this handle is for.
    shard: usize,
    /// The slot of the key that it is for.
    slot: Option<Slot>,
    view: PhantomData<fn() -> B>,
}

/// All shards.
#[derive(Debug)]
pub(crate) struct Cluster {
    shards: Vec<Shard>,
    slots: Slots,
    pub(crate) config: Config,
    pub(crate) counts: Arc<Counts>,
    _looks: Vec<Looks>,
}

/// One shard.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) number: u16,
    pub(crate) name: String,
    pub(crate) store: Store,
}

/// Where a shard is kept.
#[derive(Debug)]
pub(crate) enum Store {
    Sqlite(sqlite::Store),
    Postgres(Arc<Group>),
}

impl Db {
    /// Opens the database: makes SQLite's file where it is missing, and finds out which server of PostgreSQL is the primary.
    ///
    /// # Errors
    /// [`Error::Url`], [`Error::Folder`], [`Error::Open`], [`Error::Config`]; [`Error::Unavailable`] where no primary answers
    /// within [`PoolConfig::wait`](crate::PoolConfig::wait).
    pub async fn connect(config: &Config) -> Result<Self, Error> {
        let counts = Arc::new(Counts::default());
        if config.shards.is_empty() || config.shards.len() > tropos_core::MOST_SHARDS {
            return Err(Error::Config(format!(
                "a database has 1 to {} shards, and {} are configured",
                tropos_core::MOST_SHARDS,
                config.shards.len()
            )));
        }
        let opened =
            config.shards.iter().zip(0..).map(|(shard, number)| Shard::open(number, shard, config, &counts));
        let (shards, looks): (Vec<Shard>, Vec<_>) = try_join_all(opened).await?.into_iter().unzip();
        let looks = looks.into_iter().flatten().collect();
        let slots = follow(slot_map(config)?, &shards).await;
        let cluster = Cluster { shards, slots, config: config.clone(), counts, _looks: looks };
        Ok(Self::of(Arc::new(cluster), 0))
    }
}

/// Which slots are on which shard: all of them on the only one, else what configuration says.
pub(crate) fn slot_map(config: &Config) -> Result<SlotMap, Error> {
    if let [_] = config.shards.as_slice() {
        return Ok(SlotMap::one());
    }
    let all = config.shards.iter().map(|shard| match &shard.slots {
        Some(slots) => Ok((shard.name.clone(), slots.clone())),
        None => Err(Error::Config(format!(
            "the shard `{}` names no slots: write for example `slots = \"0-8191\"`; all shards together hold 0-16383",
            shard.name
        ))),
    });
    SlotMap::new(all.collect::<Result<Vec<_>, _>>()?).map_err(|error| Error::Config(error.to_string()))
}

/// Where slots are, as the databases say it: those of PostgreSQL know.
async fn follow(configured: SlotMap, shards: &[Shard]) -> Slots {
    let groups: Vec<_> = shards.iter().filter_map(|shard| shard.group().cloned()).collect();
    match shards.len() > 1 && groups.len() == shards.len() {
        true => Slots::follow(configured, groups).await,
        false => Slots::fixed(configured),
    }
}

impl<B> Db<B> {
    fn of(cluster: Arc<Cluster>, shard: usize) -> Self {
        Self { cluster, shard, slot: None, view: PhantomData }
    }

    fn route(&self, writes: bool) -> Route<'_> {
        // Numbers of shards come from the map alone, so there is one.
        let shard = self.cluster.shards.get(self.shard).unwrap_or_else(|| self.cluster.first());
        Route { cluster: &self.cluster, shard, slot: self.slot, writes }
    }

    /// Which database it is.
    pub fn kind(&self) -> Kind {
        self.route(false).kind()
    }

    /// The same database for the rows of one key: the shard that the key's slot is on.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tropos_db::{Config, Db, sqlx};
    /// # let db: Db = Db::connect(&Config::new("sqlite::memory:")).await?;
    /// let customer = 4711;
    /// let (one,): (i64,) = sqlx::query_as("select 1").fetch_one(db.shard(&customer).read()).await?;
    /// # assert_eq!(one, 1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn shard<K: ShardKey + ?Sized>(&self, key: &K) -> Self {
        let slot = Slot::of(key);
        let shard = self.cluster.slots.now().shard_of(slot);
        Self { slot: Some(slot), ..Self::of(self.cluster.clone(), usize::from(shard)) }
    }

    /// All shards, to ask each of them the same: at most eight at a time, and all together for five seconds, unless told
    /// otherwise.
    pub fn fan_out(&self) -> FanOut<Self> {
        let shards = self.cluster.shards.iter().enumerate();
        FanOut::new(
            shards.map(|(at, shard)| (shard.name.clone(), Self::of(self.cluster.clone(), at))).collect(),
        )
    }

    /// Which slots are on which shard now: as configured, and where the databases know of a move, as they have it.
    pub fn slots(&self) -> Arc<SlotMap> {
        self.cluster.slots.now()
    }

    /// Slots that are to go from one shard to another, for [`Move::run`] and its sisters: between the primaries as they
    /// are now, and with as much time for instances to follow as they need.
    ///
    /// # Errors
    /// [`Error::Config`] where there is no such shard, or a pooler stands before it: locks do not go through one.
    /// [`Error::Unavailable`] where a primary does not answer.
    pub fn moving(&self, slots: SlotRanges, from: &str, to: &str) -> Result<Move, Error> {
        if self.cluster.config.pooler != crate::Pooler::None {
            return Err(Error::Config(
                "slots are not moved through a pooler: run this with the servers' own addresses and \
                 DATABASE_POOLER=none"
                    .to_owned(),
            ));
        }
        let side = |name: &str| {
            let shard = self.cluster.shards.iter().find(|shard| shard.name == name);
            let group = shard.and_then(Shard::group);
            let known =
                || self.cluster.shards.iter().map(|shard| shard.name.as_str()).collect::<Vec<_>>().join(", ");
            let none = || Error::Config(format!("there is no shard `{name}` of PostgreSQL, but {}", known()));
            let (_, server) = group.ok_or_else(none)?.writable()?;
            Ok::<_, Error>(moving::Shard::new(name, server.options().clone()))
        };
        Ok(Move::new(slots, side(from)?, side(to)?).settle(shard::SETTLE))
    }

    /// Whether reads may be answered by replicas.
    pub fn has_replicas(&self) -> bool {
        self.cluster.shards.iter().any(|shard| shard.group().is_some_and(|group| group.has_replicas()))
    }

    /// Where the logs of all shards that have replicas stand now: not before any write that has returned before this was
    /// called.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where a primary does not answer.
    pub async fn positions(&self) -> Result<Positions, Error> {
        self.positions_of(|_| true).await
    }

    /// Has every read see all that has been written until now, whoever asks: for a start, after migrations and seeding. No
    /// replica that lacks their tables is read from.
    ///
    /// # Errors
    /// As [`Db::positions`].
    pub async fn settle(&self) -> Result<(), Error> {
        let positions = self.positions().await?;
        for shard in &self.cluster.shards {
            if let Some(group) = shard.group() {
                group.raise_floor(positions.of(shard.number));
            }
        }
        Ok(())
    }

    /// Where the logs of some shards stand, after they were written to: what their reader must have seen. Where a primary
    /// does not answer any more, nothing less than the primary will do.
    pub async fn positions_after(&self, shards: &[u16]) -> Positions {
        let asked = shards.iter().map(|shard| async move {
            let asked = self.positions_of(|number| number == *shard).await;
            asked.unwrap_or_else(|error| {
                tracing::warn!(%error, "after a write nobody says where the log stands: its reader goes to the primary");
                [(*shard, u64::MAX)].into_iter().collect()
            })
        });
        let mut all = Positions::default();
        futures::future::join_all(asked).await.iter().for_each(|positions| all.merge(positions));
        all
    }

    /// The same of some shards.
    pub(crate) async fn positions_of(&self, wanted: impl Fn(u16) -> bool) -> Result<Positions, Error> {
        let asked = self.cluster.shards.iter().filter(|shard| wanted(shard.number)).filter_map(|shard| {
            let group = shard.group().filter(|group| group.has_replicas())?;
            Some(async move { group.position().await.map(|position| (shard.number, position)) })
        });
        Ok(try_join_all(asked).await?.into_iter().collect())
    }

    /// How pools and servers stand, and what has happened since the start.
    pub fn stats(&self) -> Stats {
        let mut stats = self.cluster.counts.read();
        for shard in &self.cluster.shards {
            match &shard.store {
                Store::Sqlite(store) => {
                    for (pool, purpose) in [(&store.readers, "reads"), (&store.writer, "writes")] {
                        stats.pools.push(pool_stats(pool_name(&shard.name, None, purpose), pool));
                    }
                }
                Store::Postgres(group) => {
                    for server in group.servers() {
                        for purpose in [Use::Read, Use::Write] {
                            let name = pool_name(&shard.name, Some(&server.address), purpose.name());
                            stats.pools.push(pool_stats(name, &server.pool(purpose)));
                        }
                        stats.servers.push(ServerStats {
                            shard: shard.name.clone(),
                            address: server.address.clone(),
                            role: server.role(),
                            up: server.is_up(),
                            usable: server.is_usable_replica(),
                            lag: server.lag(),
                            busy: server.load(),
                        });
                    }
                }
            }
        }
        stats
    }

    /// Has `observer` told of each query. The first one stays.
    pub fn observe(&self, observer: impl Observer) {
        self.cluster.counts.observe(Box::new(observer));
    }

    /// Closes all connections, waiting for running queries.
    pub async fn close(&self) {
        for shard in &self.cluster.shards {
            match &shard.store {
                Store::Sqlite(store) => store.close().await,
                Store::Postgres(group) => group.close().await,
            }
        }
    }

    pub(crate) fn cluster(&self) -> &Arc<Cluster> {
        &self.cluster
    }
}

impl<B: Backend> Db<B> {
    /// Where to read: a replica where there is one that has seen what this visitor must see, else the primary. A write
    /// through it fails in the database.
    pub fn read(&self) -> Read<'_, B> {
        Read { route: self.route(false), view: PhantomData }
    }

    /// Where to write: the primary.
    pub fn write(&self) -> Write<'_, B> {
        Write { route: self.route(true), view: PhantomData }
    }

    /// Begins a transaction that may write. Rolled back when dropped before `commit`.
    ///
    /// # Errors
    /// As of any query.
    pub async fn tx(&self) -> Result<Tx<B>, sqlx::Error> {
        Tx::begin(self.route(true)).await
    }

    /// Begins a transaction that reads: all of it sees one moment.
    ///
    /// # Errors
    /// As of any query.
    pub async fn read_tx(&self) -> Result<Tx<B>, sqlx::Error> {
        Tx::begin(self.route(false)).await
    }

    /// The same database, with queries typed by another view.
    ///
    /// # Errors
    /// [`Error::View`] where it is another database.
    pub fn typed<V: Backend>(&self) -> Result<Db<V>, Error> {
        match self.cluster.shards.iter().find(|shard| !V::sees(shard.kind())) {
            Some(shard) => Err(Error::View { wanted: V::WANTED, is: shard.kind().name() }),
            None => Ok(Db { slot: self.slot, ..Db::of(self.cluster.clone(), self.shard) }),
        }
    }
}

impl Cluster {
    fn first(&self) -> &Shard {
        // `Db::connect` refuses a database without shards.
        #[expect(clippy::indexing_slicing, reason = "there is always a first shard")]
        &self.shards[0]
    }

    /// Asks the databases which slots are where.
    pub(crate) async fn refresh_slots(&self) {
        self.slots.refresh().await;
    }

    pub(crate) fn shards(&self) -> &[Shard] {
        &self.shards
    }
}

impl Shard {
    async fn open(
        number: u16,
        shard: &crate::ShardConfig,
        config: &Config,
        counts: &Arc<Counts>,
    ) -> Result<(Self, Option<Looks>), Error> {
        let (store, looks) = match shard.url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") if shard.replicas.is_empty() => {
                (Store::Sqlite(sqlite::Store::open(&shard.url, config).await?), None)
            }
            Some("sqlite") => {
                return Err(Error::Config(
                    "SQLite has no replicas: leave DATABASE_REPLICA_URLS empty, or use PostgreSQL".to_owned(),
                ));
            }
            Some("postgres" | "postgresql") => {
                let group = Group::new(shard, config, counts.clone())?;
                let looks = group.look(config.pool.wait).await?;
                (Store::Postgres(group), Some(looks))
            }
            _ => return Err(Error::Url { url: without_password(&shard.url) }),
        };
        Ok((Self { number, name: shard.name.clone(), store }, looks))
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.store {
            Store::Sqlite(_) => Kind::Sqlite,
            Store::Postgres(_) => Kind::Postgres,
        }
    }

    pub(crate) fn group(&self) -> Option<&Arc<Group>> {
        match &self.store {
            Store::Sqlite(_) => None,
            Store::Postgres(group) => Some(group),
        }
    }
}

fn pool_stats<D: sqlx::Database>(name: String, pool: &sqlx::Pool<D>) -> PoolStats {
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    let most = pool.options().get_max_connections();
    PoolStats { name, used: pool.size().saturating_sub(idle), idle, most }
}

impl<B> Clone for Db<B> {
    fn clone(&self) -> Self {
        Self { slot: self.slot, ..Self::of(self.cluster.clone(), self.shard) }
    }
}

impl<B> fmt::Debug for Db<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shards: Vec<_> = self.cluster.shards.iter().map(|shard| &shard.name).collect();
        f.debug_struct("Db").field("shards", &shards).field("shard", &self.shard).finish()
    }
}

/// Through which database a cached function reads is no part of its key: an application has one. Which shard is, since
/// equal arguments may mean different rows there.
impl<B> tropos_core::CacheArg for Db<B> {
    fn add_to_key(&self, key: &mut tropos_core::KeyArgs) {
        if self.shard != 0 {
            tropos_core::CacheArg::add_to_key(&self.shard, key);
        }
    }
}
