//! What follows from what the servers said (pure).

use super::{
    Finding,
    ask::{Postgres, Said, Server},
    plan::{Demand, Plan, plan},
};
use crate::{Config, Pooler};
use std::collections::BTreeMap;

/// Judges the servers one by one, then the shards, then the connections.
pub(super) fn judge(config: &Config, servers: &[Server], instances: u32) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        servers.iter().map(|it| server(config, servers, it, instances)).collect();
    for shard in &config.shards {
        findings.extend(roles(shard.name.as_str(), servers));
    }
    findings.extend(servers.iter().filter_map(clock));
    findings.extend(connections(config, servers, instances));
    findings
}

/// The oldest PostgreSQL whose SQL the bridge and the fence of shards are written for.
const OLDEST: u32 = 12;

/// How far a clock may be off, in milliseconds: more than a network and a busy machine explain.
const CLOCK_OFF: u64 = 5_000;

/// A server whose clock and this machine's disagree: ages in rows and in pages do, too.
fn clock(it: &Server) -> Option<Finding> {
    let Ok(Said::Postgres(Postgres { clock_ahead, .. })) = it.said else { return None };
    let off = clock_ahead.unsigned_abs();
    let way = if clock_ahead > 0 { "ahead of" } else { "behind" };
    (off > CLOCK_OFF).then(|| {
        Finding::warning(
            format!("clock {}", it.address),
            format!("{}.{} s {way} this machine's", off / 1_000, off % 1_000 / 100),
            "have both machines set their clocks by the network: `timedatectl set-ntp true`",
        )
    })
}

/// `17.2 (Debian 17.2-1)` is 17.
fn major(version: &str) -> Option<u32> {
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn server(config: &Config, all: &[Server], it: &Server, instances: u32) -> Finding {
    let subject = format!("{} {}", it.shard, it.address);
    match &it.said {
        Err(reason) => Finding::problem(
            subject,
            format!("cannot be reached: {reason}"),
            "start it, or correct DATABASE_URL, DATABASE_REPLICA_URLS or [database.shards] in tropos.toml",
        ),
        Ok(Said::Sqlite(_)) if instances > 1 => Finding::warning(
            subject,
            "SQLite is on one machine: instances on another one have data of their own",
            "set DATABASE_URL to a PostgreSQL server where instances run on several machines",
        ),
        Ok(Said::Sqlite(Some(version))) => Finding::ok(subject, format!("SQLite {version}")),
        Ok(Said::Sqlite(None)) => Finding::ok(subject, "SQLite; the file is made at the first start"),
        Ok(Said::Postgres(said)) if major(&said.version).is_some_and(|major| major < OLDEST) => {
            Finding::problem(
                subject,
                format!("PostgreSQL {}, and {OLDEST} is the oldest that works", said.version),
                format!("move to PostgreSQL {OLDEST} or newer (`pg_upgrade`)"),
            )
        }
        Ok(Said::Postgres(said)) if said.is_replica => replica(config, all, it, said, subject),
        Ok(Said::Postgres(said)) => Finding::ok(subject, format!("primary, PostgreSQL {}", said.version)),
    }
}

fn replica(config: &Config, all: &[Server], it: &Server, said: &Postgres, subject: String) -> Finding {
    let newest =
        of(all, &it.shard).filter(|(_, other)| !other.is_replica).map(|(_, other)| other.position).max();
    let bytes = newest.unwrap_or_default().saturating_sub(said.position);
    let says = format!(
        "replica, PostgreSQL {}, {} kB and {}.{} s behind",
        said.version,
        bytes.div_ceil(1000),
        said.behind.as_secs(),
        said.behind.subsec_millis() / 100
    );
    if !said.streams {
        let mend = "look into its log for why it does not reach the primary (`primary_conninfo`)";
        return Finding::warning(subject, format!("{says}; it receives no log, and so falls behind"), mend);
    }
    if bytes > config.replicas.most_lag_bytes || said.behind > config.replicas.most_lag {
        let mend = "look for long queries on it, or a paused replay (`select pg_wal_replay_resume()`)";
        return Finding::warning(subject, format!("{says}: no reads go to it until it has caught up"), mend);
    }
    Finding::ok(subject, says)
}

/// The servers of a shard that answered.
fn of<'s>(all: &'s [Server], shard: &str) -> impl Iterator<Item = (&'s Server, &'s Postgres)> {
    all.iter().filter(move |server| server.shard == shard).filter_map(|server| match &server.said {
        Ok(Said::Postgres(said)) => Some((server, said)),
        _ => None,
    })
}

/// One primary, and all with its data.
fn roles(shard: &str, all: &[Server]) -> Vec<Finding> {
    let answered: Vec<_> = of(all, shard).collect();
    let primaries: Vec<_> = answered.iter().filter(|(_, said)| !said.is_replica).collect();
    let mut findings = Vec::new();
    match primaries.as_slice() {
        _ if answered.is_empty() => {}
        [] => findings.push(Finding::problem(
            shard,
            "no server is the primary: nothing can be written",
            "start the primary, or promote a replica (`select pg_promote()`)",
        )),
        [(_, primary)] => {
            let strange = answered.iter().filter(|(_, said)| said.system != primary.system);
            findings.extend(strange.map(|(server, _)| {
                Finding::problem(
                    format!("{shard} {}", server.address),
                    "it replicates another primary than that of this shard",
                    "take it out of DATABASE_REPLICA_URLS, or make it anew by pg_basebackup",
                )
            }));
        }
        several => {
            let addresses: Vec<_> = several.iter().map(|(server, _)| server.address.as_str()).collect();
            findings.push(Finding::problem(
                shard,
                format!("several servers say that they are the primary: {}", addresses.join(", ")),
                "stop the one that was not promoted last, and make it a replica again (pg_rewind)",
            ));
        }
    }
    findings
}

/// The plan of connections, for each server once, however many shards it holds: as it is, and, where it is a replica, as
/// the primary that it may become.
fn connections(config: &Config, all: &[Server], instances: u32) -> Vec<Finding> {
    let mut demands: BTreeMap<&str, (Demand, &Postgres)> = BTreeMap::new();
    for server in all {
        if let Ok(Said::Postgres(said)) = &server.said {
            let (demand, _) = demands.entry(&server.address).or_insert((Demand::default(), said));
            demand.pools += if said.is_replica { 1 } else { 2 };
            demand.looks += 1;
        }
    }
    let mut findings = Vec::new();
    for (address, (demand, said)) in demands {
        let subject = format!("connections {address}");
        let (sum, plan) = sum(config, instances, demand, said);
        if config.pooler == Pooler::Transaction {
            // A promotion changes nothing in the sum: all servers may be behind this one address.
            findings.push(Finding::ok(
                subject,
                format!(
                    "{sum} to the pooler; its max_client_conn must let them in, and its default_pool_size may take \
                     {} of the server. SQL shows neither of the two",
                    said.allowed
                ),
            ));
            continue;
        }
        let (allowed, by) = (said.allowed, &said.allowed_by);
        findings.push(match plan.fits {
            true => Finding::ok(subject.clone(), format!("{sum} of {allowed}")),
            false => {
                let says = format!("{sum}, and {allowed} are allowed ({by})");
                Finding::problem(subject.clone(), says, room(plan, by))
            }
        });
        let promoted = demand.promoted();
        if promoted != demand {
            let (sum, plan) = self::sum(config, instances, promoted, said);
            findings.push(match plan.fits {
                true => Finding::ok(subject, format!("after a promotion {sum} of {allowed}")),
                false => {
                    let says = format!("after a promotion {sum}, and {allowed} are allowed ({by})");
                    Finding::warning(subject, says, room(plan, by))
                }
            });
        }
    }
    findings
}

/// The plan of one server, and how it is reckoned.
fn sum(config: &Config, instances: u32, demand: Demand, said: &Postgres) -> (String, Plan) {
    let connections = config.pool.connections;
    let plan = plan(instances, connections, demand, said.allowed);
    let Demand { pools, looks } = demand;
    (format!("{instances} × ({connections} × {pools} + {looks}) = {}", plan.needed), plan)
}

/// What makes room where connections do not fit.
fn room(plan: Plan, by: &str) -> String {
    match plan.fitting {
        0 => format!(
            "raise max_connections to {} or more, or put a pooler between (DATABASE_POOLER=transaction)",
            plan.needed + u64::from(RESERVED)
        ),
        fitting => format!("set DATABASE_CONNECTIONS={fitting}, or raise the limit: {by}"),
    }
}

/// What PostgreSQL reserves for superusers by default.
const RESERVED: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ShardConfig, doctor::Level};
    use std::time::Duration;

    fn primary() -> Postgres {
        Postgres {
            is_replica: false,
            version: "17.2".to_owned(),
            system: "1".to_owned(),
            position: 10_000,
            behind: Duration::ZERO,
            streams: false,
            allowed: 97,
            allowed_by: "max_connections".to_owned(),
            clock_ahead: 120,
        }
    }

    fn replica() -> Postgres {
        Postgres { is_replica: true, streams: true, position: 9_000, ..primary() }
    }

    fn shard(said: Vec<Result<Said, String>>) -> Vec<Server> {
        let server = |(at, said)| Server { shard: "main".to_owned(), address: format!("db{at}:5432"), said };
        (1..).zip(said).map(server).collect()
    }

    fn postgres(said: Vec<Postgres>) -> Vec<Server> {
        shard(said.into_iter().map(|said| Ok(Said::Postgres(said))).collect())
    }

    #[test]
    fn each_problem_is_found_with_what_mends_it() {
        let late = Postgres { behind: Duration::from_secs(60), ..replica() };
        let far = Postgres { position: 300 << 20, ..primary() };
        let cut = Postgres { streams: false, ..replica() };
        let strange = Postgres { system: "2".to_owned(), ..replica() };
        let small = Postgres { allowed: 20, ..primary() };
        let old = Postgres { version: "11.22 (Debian 11.22-1)".to_owned(), ..primary() };
        let early = Postgres { clock_ahead: 7_250, ..primary() };
        let behind = Postgres { clock_ahead: -5_001, ..primary() };
        let cases: [(&str, Vec<Server>, u32, Level, &str); 16] = [
            ("an old one", postgres(vec![old]), 1, Level::Problem, "12 is the oldest"),
            ("a clock ahead", postgres(vec![early]), 1, Level::Warning, "7.2 s ahead of this machine's"),
            ("a clock behind", postgres(vec![behind]), 1, Level::Warning, "5.0 s behind this machine's"),
            ("a primary", postgres(vec![primary()]), 1, Level::Ok, "1 × (10 × 2 + 1) = 21 of 97"),
            ("a replica", postgres(vec![primary(), replica()]), 1, Level::Ok, "17.2, 1 kB and 0.0 s behind"),
            (
                "a late replica",
                postgres(vec![primary(), late]),
                1,
                Level::Warning,
                "60.0 s behind: no reads go to it",
            ),
            ("far in bytes", postgres(vec![far, replica()]), 1, Level::Warning, "no reads go to it"),
            ("a cut replica", postgres(vec![primary(), cut]), 1, Level::Warning, "primary_conninfo"),
            ("another cluster", postgres(vec![primary(), strange]), 1, Level::Problem, "pg_basebackup"),
            ("two primaries", postgres(vec![primary(), primary()]), 1, Level::Problem, "db1:5432, db2:5432"),
            ("no primary", postgres(vec![replica()]), 1, Level::Problem, "select pg_promote()"),
            (
                "nobody",
                shard(vec![Err("refused".to_owned())]),
                1,
                Level::Problem,
                "cannot be reached: refused",
            ),
            ("too many", postgres(vec![primary()]), 5, Level::Problem, "DATABASE_CONNECTIONS=9"),
            ("far too many", postgres(vec![small]), 20, Level::Problem, "raise max_connections to 423"),
            ("a file", shard(vec![Ok(Said::Sqlite(None))]), 1, Level::Ok, "made at the first start"),
            ("a file for two", shard(vec![Ok(Said::Sqlite(None))]), 2, Level::Warning, "set DATABASE_URL"),
        ];
        for (name, servers, instances, worst, text) in cases {
            let findings = judge(&Config::new("postgres://db1/x"), &servers, instances);
            let level = findings.iter().map(|finding| finding.level).max();
            assert_eq!(level, Some(worst), "{name}: {findings:?}");
            let told =
                |it: &Finding| it.says.contains(text) || it.mend.as_ref().is_some_and(|it| it.contains(text));
            assert!(
                findings.iter().any(|finding| finding.level == worst && told(finding)),
                "{name}: {findings:?}"
            );
            assert!(
                findings.iter().all(|it| it.mend.is_some() == (it.level != Level::Ok)),
                "{name}: {findings:?}"
            );
        }
    }

    #[test]
    fn a_pooler_is_planned_for_and_what_cannot_be_seen_is_said() {
        let mut config = Config::new("postgres://db1/x");
        config.pooler = Pooler::Transaction;
        let findings = judge(&config, &postgres(vec![primary()]), 40);
        assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:?}");
        assert!(
            findings
                .iter()
                .any(|it| it.says.contains("= 840 to the pooler") && it.says.contains("default_pool_size"))
        );
    }

    #[test]
    fn shards_on_one_server_are_planned_together() {
        let shards =
            vec![ShardConfig::new("main", "postgres://db1/a"), ShardConfig::new("b", "postgres://db1/b")];
        let config = Config::new("").shards(shards);
        let mut servers = postgres(vec![primary(), primary()]);
        for (server, shard) in servers.iter_mut().zip(["main", "b"]) {
            (server.shard, server.address) = (shard.to_owned(), "db1:5432".to_owned());
        }
        let findings = judge(&config, &servers, 2);
        assert!(findings.iter().any(|it| it.says == "2 × (10 × 4 + 2) = 84 of 97"), "{findings:?}");
    }

    #[test]
    fn a_replica_is_planned_as_the_primary_that_it_may_become() {
        let config = Config::new("postgres://db1/x");
        let cases = [
            ("room as either", 97, 4, Level::Ok, "4 × (10 × 1 + 1) = 44 of 97", "= 84 of 97", None),
            (
                "room as a replica alone",
                97,
                8,
                Level::Warning,
                "8 × (10 × 1 + 1) = 88 of 97",
                "after a promotion 8 × (10 × 2 + 1) = 168, and 97 are allowed (max_connections)",
                Some("set DATABASE_CONNECTIONS=5, or raise the limit: max_connections"),
            ),
            (
                "room as neither",
                97,
                9,
                Level::Warning,
                "9 × (10 × 1 + 1) = 99, and 97 are allowed",
                "after a promotion 9 × (10 × 2 + 1) = 189",
                Some("set DATABASE_CONNECTIONS=4"),
            ),
            (
                "not even for one each",
                20,
                10,
                Level::Warning,
                "10 × (10 × 1 + 1) = 110",
                "= 210, and 20 are allowed",
                Some("raise max_connections to 213"),
            ),
        ];
        for (name, allowed, instances, level, now, promoted, mend) in cases {
            let servers = postgres(vec![Postgres { allowed, ..replica() }]);
            let findings = connections(&config, &servers, instances);
            let [as_it_is, as_primary] = findings.as_slice() else { panic!("{name}: {findings:?}") };
            assert!(as_it_is.says.starts_with(now), "{name}: {findings:?}");
            assert!(as_primary.says.starts_with("after a promotion"), "{name}: {findings:?}");
            assert!(as_primary.says.contains(promoted), "{name}: {findings:?}");
            assert_eq!(as_primary.level, level, "{name}");
            assert_eq!(as_primary.mend.is_some(), mend.is_some(), "{name}");
            let told = as_primary.mend.as_deref().unwrap_or_default();
            assert!(told.contains(mend.unwrap_or_default()), "{name}: {told}");
        }
        assert_eq!(connections(&config, &postgres(vec![primary()]), 1).len(), 1, "a primary is one already");
    }
}
