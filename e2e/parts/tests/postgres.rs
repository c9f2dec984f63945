//! A PostgreSQL server: start, stop, crash, freeze, and nothing left behind.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::TcpStream, path::PathBuf, time::Duration};
use tropos_parts::{Error, FaultProxy, Postgres, PostgresOptions};

/// What proc(5) tells of a process after its name: the state first, then the parent.
fn stat(id: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Whether a process is there and has not ended. One that ended may wait for the system's first process to notice.
fn lives(id: u32) -> bool {
    stat(id).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

/// The processes of a server: the first one and those that it started.
fn processes(postgres: &Postgres) -> Vec<u32> {
    let first = postgres.id().unwrap();
    let entries = std::fs::read_dir("/proc").unwrap();
    let all = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    all.filter(|id| *id == first || stat(*id).is_some_and(|(_, parent)| parent == first)).collect()
}

/// The System V segment by which a server knows its older processes.
fn segment(postgres: &Postgres) -> String {
    let file = postgres.socket_folder().join("data/postmaster.pid");
    let file = std::fs::read_to_string(file).unwrap();
    file.lines().nth(6).unwrap().split_ascii_whitespace().nth(1).unwrap().to_owned()
}

fn has_segment(id: &str) -> bool {
    let all = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
    all.lines().any(|line| line.split_ascii_whitespace().nth(1) == Some(id))
}

#[tokio::test]
async fn a_server_answers_on_a_port_of_its_own_and_leaves_nothing_when_it_is_dropped() {
    let (one, other) = tokio::join!(Postgres::start(), Postgres::start());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_ne!(one.address(), other.address());
    assert_eq!(one.url("shop"), format!("postgres://postgres@{}/shop", one.address()));
    assert_eq!(one.url_as("reader", "shop"), format!("postgres://reader@{}/shop", one.address()));
    assert_eq!(
        one.psql("postgres", "create table t (a int, b text); insert into t values (1, 'é'), (2, null)")
            .await
            .unwrap(),
        ""
    );
    assert_eq!(one.psql("postgres", "select * from t order by a").await.unwrap(), "1|é\n2|");
    let unknown = other.psql("postgres", "select * from t").await.unwrap_err();
    assert!(
        matches!(unknown, Error::Refused { .. }) && unknown.to_string().contains("does not exist"),
        "{unknown}"
    );

    let (all, segment, folder): (Vec<u32>, String, PathBuf) =
        (processes(&one), segment(&one), one.socket_folder());
    assert!(all.len() > 3 && all.iter().all(|id| lives(*id)), "{all:?}");
    assert!(has_segment(&segment) && folder.is_dir());
    drop(one);
    assert!(!all.iter().any(|id| lives(*id)), "all have ended when the drop returns");
    assert!(!has_segment(&segment) && !folder.exists());
    assert_eq!(other.psql("postgres", "select 1").await.unwrap(), "1");
}

#[tokio::test]
async fn a_panic_ends_the_server_too() {
    let (send, receive) = tokio::sync::oneshot::channel();
    let panicking = tokio::spawn(async move {
        let postgres = Postgres::start().await.unwrap();
        send.send(processes(&postgres)).unwrap();
        panic!("on purpose");
    });
    assert!(panicking.await.unwrap_err().is_panic());
    assert!(!receive.await.unwrap().into_iter().any(lives));
}

#[tokio::test]
async fn each_server_has_a_system_identifier_of_its_own() {
    let (one, other) = tokio::join!(Postgres::start(), Postgres::start());
    let (one, other) = (one.unwrap(), other.unwrap());
    let sql = "select system_identifier from pg_control_system()";
    let identifiers = [one.psql("postgres", sql).await.unwrap(), other.psql("postgres", sql).await.unwrap()];
    assert_ne!(identifiers[0], identifiers[1]);
    assert!(identifiers.iter().all(|number| number.parse::<i64>().unwrap() > 0), "{identifiers:?}");
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_stop_and_after_a_crash() {
    let postgres = Postgres::start().await.unwrap();
    let (address, mut before) = (postgres.address(), postgres.id());
    postgres.create_database("a \"shop\"").await.unwrap();
    postgres.psql("a \"shop\"", "create table t (a int)").await.unwrap();
    for (crash, expected) in [(false, "1"), (true, "2")] {
        postgres.psql("a \"shop\"", "insert into t values (1)").await.unwrap();
        let all = processes(&postgres);
        if crash {
            postgres.kill().await.unwrap();
        } else {
            postgres.stop().await.unwrap();
            assert!(postgres.log_tail().contains("database system is shut down"));
        }
        assert!(!all.into_iter().any(lives), "crash: {crash}");
        assert!(TcpStream::connect(address).is_err(), "refused while it does not run");
        assert!(matches!(postgres.stop().await, Err(Error::NotRunning { .. })));
        assert!(matches!(postgres.freeze().await, Err(Error::NotRunning { .. })));
        postgres.restart().await.unwrap();
        assert_eq!(postgres.address(), address);
        assert_ne!(postgres.id(), before);
        before = postgres.id();
        assert_eq!(postgres.psql("a \"shop\"", "select count(*) from t").await.unwrap(), expected);
    }
    postgres.kill().await.unwrap();
    let segment = segment(&postgres);
    drop(postgres);
    assert!(!has_segment(&segment), "also when it was killed before");
}

#[tokio::test]
async fn settings_reach_the_server_at_the_start_and_while_it_runs() {
    let options = PostgresOptions::new().setting("max_connections", "17").setting("application_name", "it's");
    let postgres = Postgres::with(options).await.unwrap();
    let setting = async |name: &str| postgres.psql("postgres", &format!("show {name}")).await.unwrap();
    for (name, expected) in [
        ("max_connections", "17"),
        ("server_encoding", "UTF8"),
        ("fsync", "off"),
        ("synchronous_commit", "on"),
        ("wal_level", "replica"),
        ("timezone", "UTC"),
    ] {
        assert_eq!(setting(name).await, expected, "{name}");
    }
    postgres.set("statement_timeout", "3s").await.unwrap();
    assert_eq!(setting("statement_timeout").await, "3s");
    postgres.set("max_connections", "18").await.unwrap();
    assert_eq!(setting("max_connections").await, "17");
    // A statement each, or the server would refuse the first.
    postgres.psql("postgres", "alter system set work_mem = '1MB'; select pg_reload_conf()").await.unwrap();
    postgres.restart().await.unwrap();
    assert_eq!((setting("max_connections").await, setting("work_mem").await), ("18".into(), "1MB".into()));
}

#[tokio::test]
async fn a_wrong_setting_is_told_with_what_the_server_wrote() {
    let problem = PostgresOptions::new().setting("no_such_setting", "1").start().await.unwrap_err();
    assert!(matches!(problem, Error::Ended { .. }), "{problem}");
    assert!(problem.to_string().contains("no_such_setting"), "{problem}");
}

#[tokio::test]
async fn a_frozen_server_answers_what_came_meanwhile_once_it_goes_on() {
    let postgres = Postgres::start().await.unwrap();
    postgres.freeze().await.unwrap();
    assert!(TcpStream::connect(postgres.address()).is_ok(), "the system accepts for it");
    let mut asked = Box::pin(postgres.psql("postgres", "select 1"));
    let silent = tokio::time::timeout(Duration::from_millis(150), &mut asked).await;
    assert!(silent.is_err(), "nothing answers while it stands still");
    postgres.thaw().await.unwrap();
    assert_eq!(asked.await.unwrap(), "1");
    postgres.freeze().await.unwrap();
    let all = processes(&postgres);
    drop(postgres);
    assert!(!all.into_iter().any(lives), "a frozen server ends too");
}

#[tokio::test]
async fn a_proxy_before_the_server_fails_on_command() {
    let postgres = Postgres::start().await.unwrap();
    let proxy = FaultProxy::start(postgres.address()).await.unwrap();
    assert_eq!(postgres.url_through(&proxy, "shop"), format!("postgres://postgres@{}/shop", proxy.address()));
    // psql takes the URL as the name of a database.
    let url = postgres.url_through(&proxy, "postgres");
    assert_eq!(postgres.psql(&url, "select 1").await.unwrap(), "1");
    proxy.cut();
    assert!(matches!(postgres.psql(&url, "select 1").await, Err(Error::Refused { .. })));
    proxy.heal();
    proxy.blackhole();
    let mut asked = Box::pin(postgres.psql(&url, "select 2"));
    assert!(tokio::time::timeout(Duration::from_millis(150), &mut asked).await.is_err());
    proxy.heal();
    assert_eq!(asked.await.unwrap(), "2");
    assert!(proxy.connections() >= 3, "psql came by way of the proxy");
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_of_the_test_does_not_cut_the_waits_short() {
    let postgres = Postgres::start().await.unwrap();
    postgres.restart().await.unwrap();
    postgres.stop().await.unwrap();
}
