//! The fence holds writers to the slots of their shard.

use crate::kit::two;
use sqlx::{AssertSqlSafe, Connection as _};
use tropos_db::shard::{ClaimError, Fence, Refused, Slot, SlotMap, claim, hold, install_sql, refused};

/// A key on shard `a`, and one on `b`.
const HERE: &str = "c2";
const THERE: &str = "c1";

#[tokio::test]
async fn rows_of_other_shards_are_refused_however_they_are_written() {
    let two = two().await;
    assert_eq!((two.map.shard_for(HERE), two.map.shard_for(THERE)), (0, 1));
    two.run(0, "insert into customer values ('c2', 'x')").await.unwrap();
    for sql in [
        "insert into customer values ('c1', 'x')",
        "insert into customer values ('c2', 'x'), ('c1', 'x') on conflict do nothing",
        "insert into customer values ('c1', 'x') on conflict (id) do update set name = 'y'",
        "update customer set id = 'c1' where id = 'c2'",
        "with new as (insert into customer values ('c1') returning 1) select * from new",
        "do $$ begin insert into customer values ('c1', 'x'); end $$",
    ] {
        let error = two.run(0, sql).await.unwrap_err();
        assert_eq!(refused(&error), Some(Refused::Gone), "{sql}: {error}");
    }
    // Rows that are here nevertheless cannot be changed either.
    two.run(0, "alter table customer disable trigger user; insert into customer values ('c1'); alter table customer enable trigger user")
        .await
        .unwrap();
    for sql in ["update customer set name = 'y' where id = 'c1'", "delete from customer where id = 'c1'"] {
        assert_eq!(refused(&two.run(0, sql).await.unwrap_err()), Some(Refused::Gone), "{sql}");
    }
    let mut copy = two.pools[0].acquire().await.unwrap();
    let mut copy = copy.copy_in_raw("copy customer from stdin").await.unwrap();
    copy.send(b"c1\tx\n".as_slice()).await.unwrap();
    assert_eq!(refused(&copy.finish().await.unwrap_err()), Some(Refused::Gone));
    assert_eq!(two.one(0, "select count(*) from customer").await, "2");
}

#[tokio::test]
async fn the_message_says_what_to_do() {
    let two = two().await;
    let error = two.run(0, "insert into customer values ('c1', 'x')").await.unwrap_err();
    let error = error.as_database_error().unwrap().downcast_ref::<sqlx::postgres::PgDatabaseError>();
    let slot = Slot::of(THERE);
    assert_eq!(error.message(), format!("slot {slot} is not on this shard"));
    assert_eq!(error.hint(), Some("Try again. This instance may have an old slot map."));
}

#[tokio::test]
async fn a_row_that_a_trigger_sends_elsewhere_is_refused() {
    let two = two().await;
    two.run(
        0,
        "create function other() returns trigger language plpgsql as $$ begin new.id := 'c1'; return new; end $$;
         create trigger other before insert on customer for each row execute function other()",
    )
    .await
    .unwrap();
    let error = two.run(0, "insert into customer values ('c2', 'x')").await.unwrap_err();
    assert_eq!(refused(&error), Some(Refused::Gone));
}

#[tokio::test]
async fn a_role_that_may_only_write_rows_is_held_to_the_fence_too() {
    let two = two().await;
    two.run(0, "create role app; grant select, insert, update, delete on customer to app").await.unwrap();
    for isolation in ["read committed", "repeatable read", "serializable"] {
        let as_app = |id: &str| {
            format!(
                "begin isolation level {isolation}; set local role app;
                 create temporary table tropos_slots as select 0 as first, 16383 as last, 'owned' as state, '' as peer;
                 insert into customer values ('{id}', 'x'); rollback"
            )
        };
        two.run(0, &as_app(HERE)).await.unwrap();
        let mut connection = two.pools[0].acquire().await.unwrap().detach();
        let refusal = sqlx::raw_sql(AssertSqlSafe(as_app(THERE))).execute(&mut connection).await;
        assert_eq!(refused(&refusal.unwrap_err()), Some(Refused::Gone), "{isolation}");
    }
    let error =
        two.run(0, "set role app; select tropos_mark(0, 16383, 'owned', null, null)").await.unwrap_err();
    assert!(error.to_string().contains("permission denied"), "{error}");
}

#[tokio::test]
async fn a_transaction_can_hold_a_slot_that_it_does_not_write() {
    let two = two().await;
    let mut connection = two.pools[0].acquire().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    hold(&mut transaction, Slot::of(HERE)).await.unwrap();
    assert_eq!(refused(&hold(&mut transaction, Slot::of(THERE)).await.unwrap_err()), Some(Refused::Gone));
}

#[tokio::test]
async fn installing_again_and_at_once_changes_nothing() {
    let two = two().await;
    two.run(0, "insert into customer values ('c2', 'x')").await.unwrap();
    let install = || sqlx::raw_sql(install_sql()).execute(&two.pools[0]);
    for done in futures::future::join_all((0..8).map(|_| install())).await {
        done.unwrap();
    }
    two.run(0, "select tropos_sharded('customer', 'id')").await.unwrap();
    assert_eq!(two.slots(0).await, "0-8191 owned");
    assert_eq!(
        two.one(0, "select string_agg(key, ',' order by place) from tropos_tables").await,
        "id,customer,customer"
    );
    assert_eq!(two.one(0, "current_setting('search_path')").await, "\"$user\", public");
}

#[tokio::test]
async fn a_table_without_a_usable_key_is_refused() {
    let two = two().await;
    for (columns, says) in [
        ("id int primary key, k text", "no column k that is `not null`"),
        (
            "id int primary key, k text not null generated always as ('x') stored",
            "no column k that is `not null`",
        ),
        ("k text not null", "no primary key"),
    ] {
        let sql = format!("create table t ({columns}); select tropos_sharded('t', 'k')");
        let error = two.run(0, &sql).await.unwrap_err().to_string();
        assert!(error.contains(says), "{columns}: {error}");
    }
}

#[tokio::test]
async fn tables_with_long_names_and_in_other_schemas_have_fences_of_their_own() {
    let two = two().await;
    let long = "t".repeat(62);
    two.run(
        0,
        &format!(
            r#"create schema "Other";
               create table {long}1 (k text primary key); create table {long}2 (k int primary key);
               create table "Other".customer ("K" text primary key);
               select tropos_sharded('{long}1', 'k'); select tropos_sharded('{long}2', 'k');
               select tropos_sharded('"Other".customer', 'K');"#
        ),
    )
    .await
    .unwrap();
    for table in [format!("{long}1"), "\"Other\".customer".to_owned()] {
        two.run(0, &format!("insert into {table} values ('{HERE}')")).await.unwrap();
        let error = two.run(0, &format!("insert into {table} values ('{THERE}')")).await.unwrap_err();
        assert_eq!(refused(&error), Some(Refused::Gone), "{table}");
    }
}

#[tokio::test]
async fn what_is_said_of_slots_is_cut_and_joined_as_it_changes() {
    let two = two().await;
    for (mark, left) in [
        ("100, 199, 'owned', 'moving', 'b'", "0-99 owned, 100-199 moving, 200-8191 owned"),
        ("200, 299, 'owned', 'moving', 'b'", "0-99 owned, 100-299 moving, 300-8191 owned"),
        (
            "150, 150, 'moving', 'gone', 'b'",
            "0-99 owned, 100-149 moving, 150-150 gone, 151-299 moving, 300-8191 owned",
        ),
        ("150, 150, 'gone', null, null", "0-99 owned, 100-149 moving, 151-299 moving, 300-8191 owned"),
        ("100, 149, 'moving', 'owned', null", "0-149 owned, 151-299 moving, 300-8191 owned"),
        ("151, 299, 'moving', 'owned', null", "0-149 owned, 151-8191 owned"),
        ("150, 150, null, 'owned', null", "0-8191 owned"),
    ] {
        two.run(0, &format!("select tropos_mark({mark})")).await.unwrap();
        assert_eq!(two.slots(0).await, left, "{mark}");
    }
    for mark in [
        "8191, 8192, 'owned', 'moving', 'b'",
        "0, 9, 'moving', 'gone', 'b'",
        "0, 9, null, 'coming', 'b'",
        "9, 0, 'owned', null, null",
    ] {
        assert!(two.run(0, &format!("select tropos_mark({mark})")).await.is_err(), "{mark}");
        assert_eq!(two.slots(0).await, "0-8191 owned");
    }
}

#[tokio::test]
async fn slots_are_claimed_once_and_a_new_shard_takes_none_of_another() {
    let two = two().await;
    let pools = [&two.pools[0], &two.pools[1]];
    // A map that was changed without a move changes nothing in the databases, and they are right.
    let changed = SlotMap::new([("a", "0-99"), ("b", "100-16383")]).unwrap();
    let fences = claim(&pools, &changed).await.unwrap();
    assert_eq!((two.slots(0).await, two.slots(1).await), ("0-8191 owned".into(), "8192-16383 owned".into()));
    assert_eq!(changed.followed(&fences), two.map);
    assert_eq!(Fence::read(&mut two.pools[1].acquire().await.unwrap()).await.unwrap(), fences[1]);

    let exchanged = claim(&[pools[1], pools[0]], &two.map).await.unwrap_err();
    assert!(matches!(exchanged, ClaimError::Name { .. }), "{exchanged}");

    two.servers[0].create_database("c").await.unwrap();
    let new = sqlx::PgPool::connect(&two.servers[0].url("c")).await.unwrap();
    sqlx::raw_sql(install_sql()).execute(&new).await.unwrap();
    let three = SlotMap::even_split(["a", "b", "c"]).unwrap();
    let error = claim(&[pools[0], pools[1], &new], &three).await.unwrap_err();
    assert!(error.to_string().contains("on the new shard `c`, but shard `b` owns them"), "{error}");
    let empty = SlotMap::new([("a", "0-8191"), ("b", "8192-16383"), ("c", "")]).unwrap();
    let many = (0..4)
        .map(|_| async { claim(&[pools[0], pools[1], &new], &empty).await.map(|fences| fences[2].clone()) });
    for fence in futures::future::join_all(many).await {
        assert_eq!(fence.unwrap(), Fence { shard: Some("c".to_owned()), held: vec![] });
    }
}
