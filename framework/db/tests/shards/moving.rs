//! Moving slots: whole, cut off anywhere, given up.

use crate::kit::{Two, prepare, two, two_servers};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::timeout;
use tropos_db::shard::{
    Refused,
    moving::{Blocked, Move, MoveError, Progress, Step},
    refused,
};
use tropos_parts::{Postgres, PostgresCluster};

const SLOTS: &str = "0-2000";
const PATIENCE: Duration = Duration::from_secs(20);

/// Dies at the n-th report, as if the machine had.
async fn killed_at(moving: Move, n: usize) -> Option<Progress> {
    let last = Arc::new(Mutex::new(None));
    let (mut left, at) = (n, last.clone());
    let run = tokio::spawn(async move {
        moving
            .run(|progress| {
                if left == 0 {
                    *at.lock().unwrap() = Some(progress);
                    std::panic::resume_unwind(Box::new("killed"));
                }
                left -= 1;
            })
            .await
            .unwrap();
    });
    let killed = run.await.is_err();
    let last = last.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    assert_eq!(killed, last.is_some());
    last
}

async fn is_moved(two: &Two, rows: &str) {
    assert_eq!(two.slots(0).await, "0-2000 gone, 2001-8191 owned");
    assert_eq!(two.slots(1).await, "0-2000 owned, 8192-16383 owned");
    assert_eq!(two.rows(1, SLOTS).await, rows);
    assert_eq!(two.one(1, "select count(*) from tropos_copied").await, "0");
}

#[tokio::test]
async fn rows_of_every_table_arrive_as_they_were() {
    let two = two().await;
    two.fill(300).await;
    let rows = two.rows(0, SLOTS).await;
    assert!(rows.lines().count() > 100);
    let mut steps = Vec::new();
    let moving = two.moving(SLOTS, 0, 1);
    moving
        .run(|progress| {
            if let Progress::Done(step) = progress {
                steps.push(step);
            }
        })
        .await
        .unwrap();
    assert_eq!(steps, [Step::Receive, Step::Freeze, Step::Copy, Step::Verify, Step::Release, Step::Take]);
    is_moved(&two, &rows).await;
    // Frozen, for instances that still read here.
    assert_eq!(two.rows(0, SLOTS).await, rows);
    // To move again is nothing.
    moving.run(|progress| panic!("{progress:?}")).await.unwrap();

    moving.clean(|_| {}).await.unwrap();
    assert_eq!(two.rows(0, SLOTS).await, "");
    assert_eq!(two.slots(0).await, "2001-8191 owned");
    moving.clean(|progress| panic!("{progress:?}")).await.unwrap();

    // And back.
    let back = two.moving(SLOTS, 1, 0);
    back.run(|_| {}).await.unwrap();
    back.clean(|_| {}).await.unwrap();
    assert_eq!((two.slots(0).await, two.slots(1).await), ("0-8191 owned".into(), "8192-16383 owned".into()));
    assert_eq!((two.rows(0, SLOTS).await, two.rows(1, SLOTS).await), (rows, String::new()));
}

#[tokio::test]
async fn numbers_of_an_identity_are_not_given_again() {
    let two = two().await;
    two.fill(300).await;
    two.moving(SLOTS, 0, 1).run(|_| {}).await.unwrap();
    let highest = two.one(1, r#"select max(id) from "Order""#).await;
    let customer = two.one(1, "select min(id) from customer where tropos_slot(id) <= 2000").await;
    let insert = format!(r#"insert into "Order" (customer) values ('{customer}')"#);
    two.run(1, &insert).await.unwrap();
    let next: i64 = highest.parse::<i64>().unwrap() + 1;
    assert_eq!(two.one(1, r#"select max(id) from "Order""#).await, next.to_string());
}

#[tokio::test]
async fn a_move_that_dies_at_any_point_is_finished_by_the_next() {
    let two = two().await;
    two.fill(120).await;
    let rows = two.rows(0, SLOTS).await;
    let mut deaths = Vec::new();
    for n in 0.. {
        // There, and the next time back.
        let (from, to) = (n % 2, 1 - n % 2);
        let moving = two.moving(SLOTS, from, to).batch(40);
        let Some(died) = killed_at(moving.clone(), n).await else { break };
        deaths.push(died);
        moving.run(|_| {}).await.unwrap();
        assert_eq!((two.rows(from, SLOTS).await, two.rows(to, SLOTS).await), (rows.clone(), rows.clone()));
        moving.clean(|_| {}).await.unwrap();
        assert_eq!((two.rows(from, SLOTS).await, two.rows(to, SLOTS).await), (String::new(), rows.clone()));
        let owned = if to == 0 {
            ["0-8191 owned", "8192-16383 owned"]
        } else {
            ["2001-8191 owned", "0-2000 owned, 8192-16383 owned"]
        };
        assert_eq!([two.slots(0).await, two.slots(1).await], owned);
    }
    for step in [Step::Receive, Step::Freeze, Step::Copy, Step::Verify, Step::Release, Step::Take] {
        assert!(
            deaths.contains(&Progress::Begun(step)) && deaths.contains(&Progress::Done(step)),
            "{step:?}"
        );
    }
    assert!(deaths.iter().filter(|death| matches!(death, Progress::Copied { .. })).count() > 4, "{deaths:?}");
}

#[tokio::test]
async fn a_move_is_given_up_wherever_it_died_until_the_source_let_go() {
    let two = two().await;
    two.fill(120).await;
    let rows = two.rows(0, SLOTS).await;
    for n in 0.. {
        let moving = two.moving(SLOTS, 0, 1).batch(40);
        let died = killed_at(moving.clone(), n).await.unwrap();
        if died == Progress::Done(Step::Release) {
            let late = moving.abort(|_| {}).await.unwrap_err();
            assert!(matches!(late, MoveError::Blocked { reason: Blocked::TooLate, .. }), "{late}");
            break;
        }
        moving.abort(|_| {}).await.unwrap();
        assert_eq!(
            (two.slots(0).await, two.slots(1).await),
            ("0-8191 owned".into(), "8192-16383 owned".into()),
            "{died:?}"
        );
        assert_eq!(
            (two.rows(0, SLOTS).await, two.rows(1, SLOTS).await),
            (rows.clone(), String::new()),
            "{died:?}"
        );
        let key = two.one(0, "select min(id) from customer where tropos_slot(id) <= 2000").await;
        two.run(0, &format!("update customer set name = name where id = '{key}'")).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_dies_under_the_move_is_waited_for_by_the_operator_alone() {
    let two = two_servers().await;
    two.fill(300).await;
    let rows = two.rows(0, SLOTS).await;
    for shard in [1, 0] {
        let moving = two.moving(SLOTS, 0, 1);
        let (killed, mut kill) = tokio::sync::mpsc::unbounded_channel();
        let run = async {
            moving
                .run(|progress| {
                    if matches!(progress, Progress::Copied { rows, .. } if rows > 20) {
                        let _ = killed.send(());
                    }
                })
                .await
        };
        let kill = async {
            kill.recv().await;
            two.servers[shard].kill().await.unwrap();
        };
        let (error, ()) = timeout(PATIENCE, async { tokio::join!(run, kill) }).await.unwrap();
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("while their rows are copied") && error.contains("nothing is lost"),
            "{error}"
        );
        two.servers[shard].restart().await.unwrap();
    }
    two.moving(SLOTS, 0, 1).run(|_| {}).await.unwrap();
    is_moved(&two, &rows).await;
}

#[tokio::test]
async fn who_wrote_before_is_waited_for_and_nobody_else_waits() {
    let two = two().await;
    two.fill(300).await;
    let key = two.one(0, "select min(id) from customer where tropos_slot(id) <= 2000").await;
    // Another row: this one is locked by the early one itself.
    let moved = two.one(0, "select max(id) from customer where tropos_slot(id) <= 2000").await;
    let other = two.one(0, "select min(id) from customer where tropos_slot(id) > 2000").await;
    let update = |key: &str| format!("update customer set name = 'late' where id = '{key}'");
    let mut early = two.pools[0].begin().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(update(&key))).execute(&mut *early).await.unwrap();

    let moving = two.moving(SLOTS, 0, 1);
    let (begun, mut steps) = tokio::sync::mpsc::unbounded_channel();
    let run = tokio::spawn(async move {
        moving
            .run(|progress| {
                let _ = begun.send(progress);
            })
            .await
    });
    while steps.recv().await.unwrap() != Progress::Begun(Step::Freeze) {}
    timeout(PATIENCE, async {
        while !two.slots(0).await.contains("moving") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    // Other slots are written and these are refused while the early one is still there.
    timeout(PATIENCE, two.run(0, &update(&other))).await.unwrap().unwrap();
    let error = timeout(PATIENCE, two.run(0, &update(&moved))).await.unwrap().unwrap_err();
    assert_eq!(refused(&error), Some(Refused::Moving), "{error}");
    assert!(steps.try_recv().is_err(), "it does not go on before the early one has ended");
    early.commit().await.unwrap();
    timeout(PATIENCE, run).await.unwrap().unwrap().unwrap();
    assert_eq!(two.one(1, &format!("select name from customer where id = '{key}'")).await, "late");
}

#[tokio::test]
async fn who_takes_too_long_makes_the_move_give_way() {
    let two = two().await;
    two.fill(30).await;
    let key = two.one(0, "select min(id) from customer").await;
    let update = format!("update customer set name = 'late' where id = '{key}'");
    let mut early = two.pools[0].begin().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(update.clone())).execute(&mut *early).await.unwrap();
    let moving = two.moving("0-8191", 0, 1).wait(Duration::from_millis(100));
    let error = moving.run(|_| {}).await.unwrap_err();
    assert!(matches!(error, MoveError::Busy { .. }), "{error}");
    early.commit().await.unwrap();
    two.run(0, &update).await.unwrap();
    moving.run(|_| {}).await.unwrap();
    assert_eq!(two.one(1, &format!("select name from customer where id = '{key}'")).await, "late");
}

#[tokio::test]
async fn who_keeps_the_row_of_its_slots_is_not_waited_for_without_an_end() {
    let two = two().await;
    let begin = "begin isolation level repeatable read; select tropos_hold(1)";
    let mut holder = two.pools[0].acquire().await.unwrap();
    sqlx::raw_sql(begin).execute(&mut *holder).await.unwrap();
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *holder).await.unwrap();
    let moving = two.moving(SLOTS, 0, 1).wait(Duration::from_millis(100));
    let error = timeout(PATIENCE, moving.run(|_| {})).await.unwrap().unwrap_err();
    let MoveError::Busy { shard, waited, pids } = &error else { panic!("{error}") };
    assert_eq!((shard.as_str(), waited.as_millis(), pids.clone()), ("a", 100, pid.to_string()));
    assert_eq!(two.slots(0).await, "0-8191 owned");
    sqlx::raw_sql("rollback").execute(&mut *holder).await.unwrap();
    moving.run(|_| {}).await.unwrap();
}

#[tokio::test]
async fn an_old_snapshot_does_not_get_past_the_fence() {
    for isolation in ["repeatable read", "serializable"] {
        let two = two().await;
        two.fill(30).await;
        let key = two.one(0, "select min(id) from customer").await;
        let mut old = two.pools[0].acquire().await.unwrap();
        let begin = format!("begin isolation level {isolation}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(begin)).execute(&mut *old).await.unwrap();
        sqlx::raw_sql("select count(*) from customer").execute(&mut *old).await.unwrap();
        two.moving("0-8191", 0, 1).run(|_| {}).await.unwrap();
        let insert = format!("insert into node values ('{key}', 99, null)");
        let error = sqlx::raw_sql(sqlx::AssertSqlSafe(insert)).execute(&mut *old).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "40001", "{isolation}: {error}");
    }
}

#[tokio::test]
async fn a_table_is_not_emptied_under_a_copy() {
    let two = two().await;
    two.fill(30).await;
    two.run(0, "truncate node").await.unwrap();
    killed_at(two.moving(SLOTS, 0, 1), 4).await.unwrap();
    for shard in 0..2 {
        let error = two.run(shard, "truncate node").await.unwrap_err();
        assert_eq!(refused(&error), Some(Refused::Moving), "{error}");
    }
}

#[tokio::test]
async fn rows_that_changed_on_the_way_stop_the_move() {
    let two = two().await;
    two.fill(100).await;
    let moving = two.moving(SLOTS, 0, 1).batch(1000);
    // Dead before the comparison; then something writes past the fence.
    for n in 4.. {
        match killed_at(moving.clone(), n).await.unwrap() {
            Progress::Done(Step::Copy) => break,
            _ => moving.abort(|_| {}).await.unwrap(),
        }
    }
    two.run(
        1,
        "set session_replication_role = replica;
         update customer set name = 'x' where id = (select min(id) from customer where tropos_slot(id) <= 2000)",
    )
    .await
    .unwrap();
    let error = moving.run(|_| {}).await.unwrap_err();
    assert!(matches!(&error, MoveError::Differ { table, .. } if table == "public.customer"), "{error}");
    moving.abort(|_| {}).await.unwrap();
    moving.run(|_| {}).await.unwrap();
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_anything_is_changed() {
    let two = two().await;
    two.fill(30).await;
    let refusal = async |moving: Move| moving.run(|_| {}).await.unwrap_err().to_string();
    for (name, moving, says) in [
        ("not owned", two.moving("0-8192", 0, 1), "not all in one state (0-8191 are)"),
        ("none", two.moving("", 0, 1), "no slots to be moved are named"),
        (
            "to itself",
            Move::new("0-1".parse().unwrap(), two.side(0), two.side(0)),
            "from shard `a` to itself",
        ),
        (
            "another shard",
            Move::new(
                "0-1".parse().unwrap(),
                two.side(0),
                tropos_db::shard::moving::Shard::new("c", two.url(1).parse().unwrap()),
            ),
            "the database at the address of shard `c` is shard `b`",
        ),
    ] {
        let said = refusal(moving).await;
        assert!(said.contains(says), "{name}: {said}");
    }
    two.moving("0-10", 1, 0).run(|progress| panic!("they are there: {progress:?}")).await.unwrap();
    two.run(1, "alter table customer add column extra int").await.unwrap();
    let said = refusal(two.moving(SLOTS, 0, 1)).await;
    assert!(
        said.contains("table public.customer is not the same on both shards (column extra integer)"),
        "{said}"
    );
    two.run(0, "alter table customer add column extra int").await.unwrap();
    two.run(1, "set session_replication_role = replica; insert into customer values ('c2')").await.unwrap();
    let said = refusal(two.moving("0-8191", 0, 1)).await;
    assert!(said.contains("shard `b` already has rows of these slots in public.customer"), "{said}");
    assert_eq!((two.slots(0).await, two.slots(1).await), ("0-8191 owned".into(), "8192-16383 owned".into()));
}

#[tokio::test]
async fn slots_do_not_come_back_before_their_old_rows_are_gone() {
    let two = two().await;
    let moving = two.moving(SLOTS, 0, 1);
    let unfinished = moving.clean(|_| {}).await.unwrap_err();
    assert!(matches!(unfinished, MoveError::Blocked { reason: Blocked::Unfinished, .. }), "{unfinished}");
    moving.run(|_| {}).await.unwrap();
    let back = two.moving(SLOTS, 1, 0).run(|_| {}).await.unwrap_err();
    assert!(matches!(back, MoveError::Blocked { reason: Blocked::NotCleaned, .. }), "{back}");
}

#[tokio::test]
async fn the_source_does_not_let_go_before_the_targets_replicas_have_the_rows() {
    let (source, target) = tokio::join!(Postgres::start(), PostgresCluster::start(1));
    let (source, target) = (source.unwrap(), target.unwrap());
    let urls = [source.url("postgres"), target.primary().url("postgres")];
    let two = prepare(vec![source], urls).await;
    two.fill(60).await;
    target.wait_until_caught_up(0).await.unwrap();
    target.pause_replay(0).await.unwrap();
    let moving = two.moving(SLOTS, 0, 1).wait(Duration::from_millis(100));
    let behind = moving.run(|_| {}).await.unwrap_err();
    assert!(matches!(behind, MoveError::Behind { .. }), "{behind}");
    assert_eq!(two.slots(0).await, "0-2000 moving, 2001-8191 owned");
    target.resume_replay(0).await.unwrap();
    let rows = two.rows(0, SLOTS).await;
    two.moving(SLOTS, 0, 1).run(|_| {}).await.unwrap();
    is_moved(&two, &rows).await;
}

#[tokio::test]
async fn a_role_that_is_not_told_of_replicas_moves_nothing_and_one_that_is_waits_for_them() {
    let (source, target) = tokio::join!(Postgres::start(), PostgresCluster::start(1));
    let (source, target) = (source.unwrap(), target.unwrap());
    target.primary().psql("postgres", "create role app login").await.unwrap();
    target.primary().psql("postgres", "create database shop owner app").await.unwrap();
    let urls = [source.url("postgres"), target.primary().url_as("app", "shop")];
    let two = prepare(vec![source], urls).await;
    two.fill(60).await;
    let moving = two.moving(SLOTS, 0, 1).wait(Duration::from_millis(100));
    let unseen = moving.run(|step| panic!("{step:?}")).await.unwrap_err();
    assert!(matches!(unseen, MoveError::Unseen { .. }), "{unseen}");
    assert!(unseen.to_string().contains("`grant pg_monitor to app`"), "{unseen}");

    target.primary().psql("postgres", "grant pg_monitor to app").await.unwrap();
    target.wait_until_caught_up(0).await.unwrap();
    target.pause_replay(0).await.unwrap();
    let behind = moving.run(|_| {}).await.unwrap_err();
    assert!(matches!(behind, MoveError::Behind { .. }), "{behind}");
    target.resume_replay(0).await.unwrap();
    let rows = two.rows(0, SLOTS).await;
    two.moving(SLOTS, 0, 1).run(|_| {}).await.unwrap();
    is_moved(&two, &rows).await;
}
