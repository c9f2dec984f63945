//! Sentinels: who watch a master, and make a replica the master when it is gone.

use crate::{
    Error, PATIENCE, Redis,
    poll::blocking,
    program::{Program, free_addresses},
    redis::PACKAGE,
    resp,
};
use std::{fs, net::SocketAddr, process::Command, sync::Arc, time::Duration};
use tempfile::TempDir;

/// The name under which the sentinels know their master.
pub const SERVICE: &str = "tropos-parts";

/// The failover begins a second after the master's last answer, and is tried again after three.
const SETTINGS: &[(&str, &str)] =
    &[("down-after-milliseconds", "1000"), ("failover-timeout", "3000"), ("parallel-syncs", "1")];

/// Sentinels of one master, killed when this is dropped. Half of them and one more make the decision.
#[derive(Debug)]
pub struct Sentinels(Arc<Vec<Sentinel>>);

/// The fields are dropped in this order: the process ends before its folder goes.
#[derive(Debug)]
struct Sentinel {
    program: Program,
    address: SocketAddr,
    _folder: TempDir,
}

impl Sentinels {
    /// Starts `count` sentinels of `master`, and waits until they know each other and at least one replica.
    ///
    /// # Errors
    /// When they do not: a master without a replica, for one.
    pub async fn start(master: &Redis, count: usize) -> Result<Self, Error> {
        let master = master.address();
        blocking(move || {
            let quorum = count / 2 + 1;
            let sentinels: Result<Vec<_>, _> = (0..count).map(|_| start(master, quorum)).collect();
            let sentinels = sentinels?;
            for sentinel in &sentinels {
                sentinel.until(PATIENCE, "the sentinels did not find each other and a replica", || {
                    let others = sentinel.of_master("num-other-sentinels")?;
                    let replicas = sentinel.of_master("num-slaves")?;
                    let found = others == Some(count.saturating_sub(1)) && replicas.is_some_and(|n| n > 0);
                    Ok((found && sentinel.has_healthy_replica()?).then_some(()))
                })?;
            }
            Ok(Self(Arc::new(sentinels)))
        })
        .await
    }

    /// `redis+sentinel://HOST:PORT,…/SERVICE`.
    pub fn url(&self) -> String {
        let addresses: Vec<_> = self.0.iter().map(|sentinel| sentinel.address.to_string()).collect();
        format!("redis+sentinel://{}/{SERVICE}", addresses.join(","))
    }

    /// Where they listen.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().map(|sentinel| sentinel.address).collect()
    }

    /// Whom most of them name as the master.
    ///
    /// # Errors
    /// When they do not agree within [`PATIENCE`].
    pub async fn master(&self) -> Result<SocketAddr, Error> {
        self.agreed(PATIENCE, |_| true).await
    }

    /// Waits until all of them name another master than `old`, and gives it.
    ///
    /// # Errors
    /// When they do not within `patience`.
    pub async fn failed_over(&self, old: SocketAddr, patience: Duration) -> Result<SocketAddr, Error> {
        self.agreed(patience, move |master| master != old).await
    }

    async fn agreed(
        &self,
        patience: Duration,
        fits: impl Fn(SocketAddr) -> bool + Send + 'static,
    ) -> Result<SocketAddr, Error> {
        let sentinels = self.0.clone();
        blocking(move || {
            let Some(first) = sentinels.first() else { return Err(Error::NotRunning { program: NAME }) };
            first.until(patience, "the sentinels did not agree on a master", || {
                let named: Vec<_> = sentinels.iter().filter_map(|sentinel| sentinel.master()).collect();
                let agreed = named.first().copied().filter(|first| named.iter().all(|other| other == first));
                Ok(agreed.filter(|master| named.len() == sentinels.len() && fits(*master)))
            })
        })
        .await
    }
}

const NAME: &str = "redis-server --sentinel";

fn start(master: SocketAddr, quorum: usize) -> Result<Sentinel, Error> {
    let folder = tempfile::Builder::new().prefix("tropos-sentinel-").tempdir();
    let folder = folder.map_err(Error::io("making a folder for a sentinel"))?;
    let [address] = free_addresses()?;
    let (ip, port) = (master.ip(), master.port());
    let mut settings = format!("port {}\nbind 127.0.0.1\n", address.port());
    settings.push_str(&format!("sentinel monitor {SERVICE} {ip} {port} {quorum}\n"));
    for (name, value) in SETTINGS {
        settings.push_str(&format!("sentinel {name} {SERVICE} {value}\n"));
    }
    // A sentinel writes what it learns into its own settings.
    let file = folder.path().join("sentinel.conf");
    fs::write(&file, settings).map_err(Error::io("writing the settings of a sentinel"))?;
    let program = Program::new(NAME, folder.path().join("log"));
    let mut command = Command::new("redis-server");
    program.spawn(command.arg(&file).arg("--sentinel").current_dir(folder.path()), PACKAGE)?;
    let sentinel = Sentinel { program, address, _folder: folder };
    sentinel.until(PATIENCE, "a sentinel did not answer", || {
        sentinel.program.check()?;
        Ok(sentinel.ask("PING").ok().map(drop))
    })?;
    Ok(sentinel)
}

impl Sentinel {
    fn ask(&self, line: &str) -> Result<String, Error> {
        resp::command(self.address, None, &line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    /// A number of what it knows of its master.
    fn of_master(&self, name: &str) -> Result<Option<usize>, Error> {
        let answer = self.ask(&format!("SENTINEL MASTER {SERVICE}"))?;
        let mut lines = answer.lines().skip_while(|line| *line != name);
        Ok(lines.nth(1).and_then(|number| number.parse().ok()))
    }

    /// Whether it would promote one of the replicas.
    fn has_healthy_replica(&self) -> Result<bool, Error> {
        let answer = self.ask(&format!("SENTINEL REPLICAS {SERVICE}"))?;
        let mut links = answer.lines().skip_while(|line| *line != "master-link-status");
        Ok(links.nth(1) == Some("ok"))
    }

    fn master(&self) -> Option<SocketAddr> {
        let answer = self.ask(&format!("SENTINEL GET-MASTER-ADDR-BY-NAME {SERVICE}")).ok()?;
        let (ip, port) = answer.split_once('\n')?;
        Some(SocketAddr::new(ip.parse().ok()?, port.parse().ok()?))
    }

    fn until<T>(
        &self,
        patience: Duration,
        what: &str,
        look: impl FnMut() -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        self.program.until(patience, what, look)
    }
}
