//! A primary with streaming replicas.

use super::{
    Postgres,
    install::{Install, PACKAGE},
    server::{Server, Settings, retried},
    template::{self, SUPERUSER},
};
use crate::{Error, poll::blocking, run::run};
use std::{
    panic::resume_unwind,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// What each server of a cluster is told: each may become the primary.
const SETTINGS: &[(&str, &str)] = &[
    // A replica that was away finds what it missed. Unlike a slot it also holds for a primary that was promoted.
    ("wal_keep_size", "512MB"),
    // Instead of five seconds: how soon a replica looks for a primary that was away.
    ("wal_retrieve_retry_interval", "100ms"),
];

/// How a primary and its replicas are to be started.
#[derive(Debug, Clone)]
pub struct PostgresClusterOptions {
    replicas: usize,
    delays: Vec<(usize, Duration)>,
    settings: Settings,
}

impl PostgresClusterOptions {
    /// That many replicas, which replay at once what they receive.
    pub fn new(replicas: usize) -> Self {
        let settings = SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { replicas, delays: Vec::new(), settings: settings.collect() }
    }

    /// How far behind the primary a replica stays (`recovery_min_apply_delay`): it receives at once, and replays a
    /// commit that long after it was made.
    #[must_use]
    pub fn apply_delay(mut self, replica: usize, delay: Duration) -> Self {
        self.delays.push((replica, delay));
        self
    }

    /// A setting of each server, as [`crate::PostgresOptions::setting`].
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts them, and waits until all replicas receive what the primary writes and take connections.
    ///
    /// # Errors
    /// As [`crate::PostgresOptions::start`].
    pub async fn start(self) -> Result<PostgresCluster, Error> {
        blocking(move || retried(|| start(&self))).await
    }
}

/// A primary with streaming replicas, killed when this is dropped.
///
/// Replicas are named by their number from 0. The names stay what they were at the start: after a failover
/// [`PostgresCluster::primary`] is the server that was the primary first. A primary that is asked to
/// [`stop`](Postgres::stop) waits for its replicas to receive all, which a frozen one never does; it can be killed.
#[derive(Debug)]
pub struct PostgresCluster {
    primary: Postgres,
    replicas: Vec<Replica>,
}

#[derive(Debug)]
struct Replica {
    postgres: Postgres,
    /// Whom it follows; nobody once it was promoted.
    upstream: Mutex<Option<Arc<Server>>>,
}

impl PostgresCluster {
    /// Starts a primary with that many replicas.
    ///
    /// # Errors
    /// As [`PostgresClusterOptions::start`].
    pub async fn start(replicas: usize) -> Result<Self, Error> {
        PostgresClusterOptions::new(replicas).start().await
    }

    /// The server that began as the primary.
    pub fn primary(&self) -> &Postgres {
        &self.primary
    }

    /// A server that began as a replica.
    ///
    /// # Panics
    /// Where there are not as many.
    pub fn replica(&self, replica: usize) -> &Postgres {
        &self.at(replica).postgres
    }

    /// Has a replica go on receiving but replay nothing, and waits until it does.
    ///
    /// # Errors
    /// As [`Postgres::psql`]; also where it is no replica any more.
    pub async fn pause_replay(&self, replica: usize) -> Result<(), Error> {
        let server = self.server(replica);
        blocking(move || {
            server.psql("postgres", "select pg_wal_replay_pause()")?;
            server.until("the replica did not pause its replay", || {
                let state = server.psql("postgres", "select pg_get_wal_replay_pause_state()")?;
                Ok((state == "paused").then_some(()))
            })
        })
        .await
    }

    /// Has it replay again after [`PostgresCluster::pause_replay`].
    ///
    /// # Errors
    /// As there.
    pub async fn resume_replay(&self, replica: usize) -> Result<(), Error> {
        self.replica(replica).psql("postgres", "select pg_wal_replay_resume()").await.map(drop)
    }

    /// Changes how far behind a replica stays, as [`PostgresClusterOptions::apply_delay`]. It counts for what is not
    /// replayed yet, within moments.
    ///
    /// # Errors
    /// As [`Postgres::set`].
    pub async fn set_apply_delay(&self, replica: usize, delay: Duration) -> Result<(), Error> {
        let (name, value) = apply_delay(delay);
        self.replica(replica).set(name, &value).await
    }

    /// Makes a replica a primary, which ends a pause and a delay of its replay, and waits until it takes writes. The
    /// others go on following whom they followed.
    ///
    /// # Errors
    /// As [`Postgres::psql`]; also where it is a primary already.
    pub async fn promote(&self, replica: usize) -> Result<(), Error> {
        let server = self.server(replica);
        blocking(move || {
            server.psql("postgres", "select pg_promote(false)")?;
            server.until("the replica did not become a primary", || {
                let recovers = server.psql("postgres", "select pg_is_in_recovery()")?;
                Ok((recovers == "f").then_some(()))
            })
        })
        .await?;
        *self.upstream(replica) = None;
        Ok(())
    }

    /// Has a replica follow another server of the cluster that began as a replica, and waits until it receives. It may
    /// not have received more than that one had when it was promoted.
    ///
    /// # Errors
    /// When it does not within [`crate::PATIENCE`].
    pub async fn follow(&self, replica: usize, of: usize) -> Result<(), Error> {
        let (server, upstream) = (self.server(replica), self.server(of));
        *self.upstream(replica) = Some(upstream.clone());
        let name = name(replica);
        blocking(move || {
            server.remember("primary_conninfo", &conninfo(&upstream, &name));
            server.reload()?;
            until_receiving(&upstream, &name)
        })
        .await
    }

    /// Has the server that began as the primary come back as a replica of one that was promoted: with a new copy of
    /// that one's data (`pg_basebackup`), after killing it if it runs. Its address stays.
    ///
    /// # Errors
    /// As [`Postgres::restart`].
    pub async fn rejoin(&self, of: usize) -> Result<(), Error> {
        let (server, upstream) = (self.primary.0.clone(), self.server(of));
        blocking(move || {
            server.kill()?;
            server.forget()?;
            let mut copy = server.install().as_owner("pg_basebackup", &server.folder());
            copy.args(["--pgdata=data", "--checkpoint=fast", "--no-sync", "--dbname"]);
            copy.arg(conninfo(&upstream, "pg_basebackup"));
            run(&mut copy, "pg_basebackup", PACKAGE, "pg_basebackup", Stdio::null())?;
            stand_by(&server, &upstream, REJOINED)?;
            server.start()?;
            until_receiving(&upstream, REJOINED)
        })
        .await
    }

    /// Waits until a replica has replayed all that the one whom it follows has written (or, of a replica, replayed) by
    /// now.
    ///
    /// # Errors
    /// When it has not within [`crate::PATIENCE`].
    pub async fn wait_until_caught_up(&self, replica: usize) -> Result<(), Error> {
        let (server, upstream) = (self.server(replica), self.upstream(replica).clone());
        let Some(upstream) = upstream else { return Ok(()) };
        blocking(move || {
            let written = upstream.lsn()?;
            server.until("the replica did not catch up", || Ok((server.lsn()? >= written).then_some(())))
        })
        .await
    }

    /// The position in the log up to which the server that began as the primary has written.
    ///
    /// # Errors
    /// As [`Postgres::lsn`].
    pub async fn current_lsn(&self) -> Result<u64, Error> {
        self.primary.lsn().await
    }

    /// The position in the log up to which a replica has replayed.
    ///
    /// # Errors
    /// As [`Postgres::lsn`].
    pub async fn replay_lsn(&self, replica: usize) -> Result<u64, Error> {
        self.replica(replica).lsn().await
    }

    /// A test that asks for more than it started fails by panicking.
    fn at(&self, replica: usize) -> &Replica {
        &self.replicas[replica]
    }

    fn server(&self, replica: usize) -> Arc<Server> {
        self.at(replica).postgres.0.clone()
    }

    fn upstream(&self, replica: usize) -> std::sync::MutexGuard<'_, Option<Arc<Server>>> {
        self.at(replica).upstream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As whom the first primary follows another.
const REJOINED: &str = "primary";

/// As whom a replica is known to its primary (`application_name`).
fn name(replica: usize) -> String {
    format!("replica{replica}")
}

fn apply_delay(delay: Duration) -> (&'static str, String) {
    ("recovery_min_apply_delay", format!("{}ms", delay.as_millis()))
}

fn conninfo(upstream: &Server, name: &str) -> String {
    let (ip, port) = (upstream.address().ip(), upstream.address().port());
    format!("host={ip} port={port} user={SUPERUSER} application_name={name}")
}

fn start(options: &PostgresClusterOptions) -> Result<PostgresCluster, Error> {
    let install = Install::find()?;
    let primary = Arc::new(Server::new(&install, options.settings.clone())?);
    template::unpack(&install, &primary.folder())?;
    // A new log says that it lacks what replicas need, until a server has begun it that writes that.
    primary.start()?;
    primary.stop()?;
    // A copy of what stands still is a replica's beginning: it has the same identifier, and goes on from that position.
    let replica = |number| {
        let server = Server::new(&install, options.settings.clone())?;
        copy(&primary.data(), &server.data())?;
        for (_, delay) in options.delays.iter().filter(|(replica, _)| *replica == number) {
            let (name, value) = apply_delay(*delay);
            server.remember(name, &value);
        }
        stand_by(&server, &primary, &name(number))?;
        Ok(Arc::new(server))
    };
    let replicas: Vec<_> = (0..options.replicas).map(replica).collect::<Result<_, Error>>()?;
    primary.start()?;
    thread::scope(|scope| {
        let starts: Vec<_> = replicas.iter().map(|replica| scope.spawn(|| replica.start())).collect();
        starts.into_iter().try_for_each(|start| start.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })?;
    (0..options.replicas).try_for_each(|number| until_receiving(&primary, &name(number)))?;
    let replica =
        |server| Replica { postgres: Postgres(server), upstream: Mutex::new(Some(primary.clone())) };
    let replicas = replicas.into_iter().map(replica).collect();
    Ok(PostgresCluster { primary: Postgres(primary), replicas })
}

/// Copies the data of a server that does not run.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let mut cp = Command::new("cp");
    cp.args(["-a", "--reflink=auto"]).arg(from).arg(to);
    run(&mut cp, "cp", "coreutils", "copying the data of a primary", Stdio::null()).map(drop)
}

/// Makes it a replica from its next start.
fn stand_by(server: &Server, upstream: &Server, name: &str) -> Result<(), Error> {
    server.remember("primary_conninfo", &conninfo(upstream, name));
    server.install().owner().write(&server.data().join("standby.signal"), "")
}

/// Waits until a replica receives as fast as `upstream` sends.
fn until_receiving(upstream: &Server, name: &str) -> Result<(), Error> {
    let sql = format!(
        "select count(*) from pg_stat_replication where application_name = '{name}' and state = 'streaming'"
    );
    upstream.until(&format!("{name} did not receive what this server writes"), || {
        Ok((upstream.psql("postgres", &sql)? != "0").then_some(()))
    })
}
