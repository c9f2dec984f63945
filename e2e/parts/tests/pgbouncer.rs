//! PgBouncer before PostgreSQL: whose connections they are, and how it fails.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::TcpStream, path::Path, time::Duration};
use tropos_parts::{Error, FaultProxy, PgBouncer, PgBouncerOptions, Postgres, free_addresses};

/// Lasts for its connection, which in transaction mode is anybody's.
const SET: &str = "set application_name = 'left behind'";
/// How many connections the server has from clients, this one included.
const CONNECTIONS: &str = "select count(*) from pg_stat_activity where backend_type = 'client backend'";

async fn pool_mode(bouncer: &PgBouncer, database: &str) -> String {
    let pools = bouncer.admin("SHOW POOLS").await.unwrap();
    let pool = pools.lines().find(|line| line.starts_with(database)).unwrap();
    pool.rsplit('|').next().unwrap().to_owned()
}

#[tokio::test]
async fn connections_to_the_server_are_shared_in_transaction_mode_and_bounded() {
    let postgres = Postgres::start().await.unwrap();
    let options = PgBouncerOptions::new().pool_size(1).max_client_conn(2);
    let bouncer = PgBouncer::start(&[("postgres", &postgres)], options).await.unwrap();
    assert_ne!(bouncer.address(), postgres.address());
    assert_eq!(bouncer.url("shop"), format!("postgres://postgres@{}/shop", bouncer.address()));
    let own = "select pg_backend_pid()";
    let first = bouncer.psql("postgres", own).await.unwrap();
    assert_eq!(bouncer.psql("postgres", own).await.unwrap(), first, "the server's connection is kept");
    let (one, other) = tokio::join!(
        bouncer.psql("postgres", "select pg_sleep(0.2), pg_backend_pid()"),
        bouncer.psql("postgres", "select pg_sleep(0.2), pg_backend_pid()")
    );
    assert_eq!(
        (one.unwrap(), other.unwrap()),
        (format!("|{first}"), format!("|{first}")),
        "one after the other"
    );
    assert_eq!(bouncer.psql("postgres", CONNECTIONS).await.unwrap(), "1");
    assert_eq!(pool_mode(&bouncer, "postgres").await, "transaction");
    let id = bouncer.id().unwrap();
    drop(bouncer);
    assert!(!Path::new(&format!("/proc/{id}")).exists());
    assert_eq!(postgres.psql("postgres", "select 1").await.unwrap(), "1");
}

#[tokio::test]
async fn databases_are_on_servers_of_their_own_and_settings_reach_it() {
    let (one, other) = tokio::join!(Postgres::start(), Postgres::start());
    let (one, other) = (one.unwrap(), other.unwrap());
    one.create_database("shop").await.unwrap();
    one.psql("postgres", "create role reader login").await.unwrap();
    let options = PgBouncerOptions::new().pool_mode("session").user("reader").setting("query_timeout", "7");
    let bouncer = PgBouncer::start(&[("shop", &one), ("postgres", &other)], options).await.unwrap();
    let port = "show port";
    assert_eq!(bouncer.psql("shop", port).await.unwrap(), one.address().port().to_string());
    assert_eq!(bouncer.psql("postgres", port).await.unwrap(), other.address().port().to_string());
    assert_eq!(
        bouncer.psql(&bouncer.url_as("reader", "shop"), "select current_user").await.unwrap(),
        "reader"
    );
    assert_eq!(pool_mode(&bouncer, "shop").await, "session");
    let config = bouncer.admin("SHOW CONFIG").await.unwrap();
    assert!(config.lines().any(|line| line.starts_with("query_timeout|7")), "{config}");
    let unknown = bouncer.psql("nowhere", "select 1").await.unwrap_err();
    assert!(unknown.to_string().contains("no such database"), "{unknown}");
}

#[tokio::test]
async fn clients_wait_while_it_is_paused_or_frozen_and_are_refused_while_it_is_dead() {
    let postgres = Postgres::start().await.unwrap();
    let bouncer = PgBouncer::start(&[("postgres", &postgres)], PgBouncerOptions::new()).await.unwrap();
    let address = bouncer.address();
    for frozen in [false, true] {
        if frozen {
            bouncer.freeze().await.unwrap();
        } else {
            bouncer.pause().await.unwrap();
        }
        let mut asked = Box::pin(bouncer.psql("postgres", "select 1"));
        let silent = tokio::time::timeout(Duration::from_millis(150), &mut asked).await;
        assert!(silent.is_err(), "frozen: {frozen}");
        if frozen {
            bouncer.thaw().await.unwrap();
        } else {
            bouncer.resume().await.unwrap();
        }
        assert_eq!(asked.await.unwrap(), "1", "frozen: {frozen}");
    }
    bouncer.kill().await.unwrap();
    assert!(TcpStream::connect(address).is_err());
    assert!(matches!(bouncer.psql("postgres", "select 1").await, Err(Error::Refused { .. })));
    bouncer.restart().await.unwrap();
    assert_eq!(bouncer.address(), address);
    assert_eq!(bouncer.psql("postgres", "select 1").await.unwrap(), "1");
}

#[tokio::test]
async fn a_server_behind_it_may_go_and_come_back_and_proxies_may_stand_on_both_sides() {
    let postgres = Postgres::start().await.unwrap();
    let behind = FaultProxy::start(postgres.address()).await.unwrap();
    let bouncer =
        PgBouncer::before(&[("postgres", behind.address())], PgBouncerOptions::new()).await.unwrap();
    let before = FaultProxy::start(bouncer.address()).await.unwrap();
    let url = bouncer.url_through(&before, "postgres");
    assert_eq!(bouncer.psql(&url, SET).await.unwrap(), "");
    assert!(before.connections() > 0 && behind.connections() > 0);
    postgres.kill().await.unwrap();
    let mut asked = Box::pin(bouncer.psql(&url, "select 1"));
    let silent = tokio::time::timeout(Duration::from_millis(150), &mut asked).await;
    assert!(silent.is_err(), "it looks for the server, and its clients wait");
    postgres.restart().await.unwrap();
    assert_eq!(asked.await.unwrap(), "1");
    before.cut();
    assert!(matches!(bouncer.psql(&url, "select 1").await, Err(Error::Refused { .. })));
}

#[tokio::test]
async fn a_wrong_setting_is_told_with_what_it_wrote() {
    let [nobody] = free_addresses().unwrap();
    let options = PgBouncerOptions::new().pool_mode("no_such_mode");
    let problem = PgBouncer::before(&[("postgres", nobody)], options).await.unwrap_err();
    assert!(matches!(problem, Error::Ended { .. }), "{problem}");
    assert!(problem.to_string().contains("pool_mode"), "{problem}");
}
