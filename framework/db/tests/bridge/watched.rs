//! What the triggers record.

use crate::{shop, sql};
use sqlx::Connection as _;
use std::collections::BTreeSet;
use tropos_core::Tag;
use tropos_db::{
    bridge::{install, install_sql, tag_of, unwatch_sql, watch_sql},
    sqlx::{self, PgConnection},
};
use tropos_parts::Postgres;

/// What was recorded since the last look: one `template value…` for each row, in order.
async fn recorded(postgres: &Postgres) -> Vec<String> {
    let take = "with taken as (delete from tropos.changes returning *) \
        select template || coalesce((select string_agg(' ' || value, '' order by key) from jsonb_each_text(columns)), '') \
        from taken";
    let mut rows: Vec<String> = sql(postgres, take).await.lines().map(str::to_owned).collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn a_statement_records_each_tag_of_what_it_changed_once_as_it_was_and_as_it_is() {
    let postgres = shop().await;
    sql(&postgres, &watch_sql("product", &["product-{id}", "family-{family}", "products"])).await;
    for (name, statement, expected) in [
        ("insert", "insert into product values (101, 'x', 'a'), (102, 'y', 'a')", "id 101, id 102, f a, all"),
        ("a column that no tag names", "update product set name = 'z' where id = 101", "id 101, f a, all"),
        (
            "a column that a tag names",
            "update product set family = 'b' where id = 101",
            "id 101, f a, f b, all",
        ),
        ("a key", "update product set id = 103 where id = 101", "id 101, id 103, f b, all"),
        ("the same again", "update product set name = name, family = family", ""),
        ("no row", "update product set name = 'z' where id = 0", ""),
        ("null", "update product set family = null where id = 103", "id 103, f b, all"),
        ("null again", "update product set name = 'n' where id = 103", "id 103, all"),
        (
            "upsert",
            "insert into product values (103, 'n', 'c'), (104, 'n', 'c') on conflict (id) do update set family = 'd'",
            "id 103, id 104, f c, f d, all, all",
        ),
        ("delete", "delete from product where id in (102, 104)", "id 102, id 104, f a, f c, all"),
        (
            "half of it as it was",
            "update product set name = case id when 103 then 'm' else name end",
            "id 103, f d, all",
        ),
        ("copy", "copy product from program 'echo 105,p,q' with csv", "id 105, f q, all"),
        ("all but two", "delete from product where id not in (103, 105)", "100 ids, 3 families, all"),
        ("truncate", "truncate product", "id 103, id 105, f d, f q, all"),
        ("truncate nothing", "truncate product", ""),
    ] {
        sql(&postgres, statement).await;
        let found = recorded(&postgres).await;
        if found.len() > 100 {
            assert_eq!(found.iter().filter(|row| row.starts_with("product-")).count(), 100, "{name}");
            assert_eq!(found.iter().filter(|row| row.starts_with("family-")).count(), 3, "{name}");
            continue;
        }
        let mut expected: Vec<String> = expected
            .split(", ")
            .filter(|word| !word.is_empty())
            .map(|word| match word.split_once(' ') {
                Some(("id", id)) => format!("product-{{id}} {id}"),
                Some((_, family)) => format!("family-{{family}} {family}"),
                None => "products".to_owned(),
            })
            .collect();
        expected.sort();
        assert_eq!(found, expected, "{name}");
    }
}

#[tokio::test]
async fn rows_are_compared_by_all_they_hold_and_by_types_without_equality() {
    let postgres = shop().await;
    let table = "create table doc (id int, gone int, body json, spot point, \"od\"\"d {\" text); alter table doc drop column gone; \
        insert into doc values (1, '{\"a\": 1}', '(1,2)', 'x'), (1, '{\"a\": 1}', '(1,2)', 'x'), (2, null, null, null)";
    sql(&postgres, table).await;
    sql(&postgres, &watch_sql("doc", &["doc-{id}"])).await;
    for (statement, expected) in [
        ("update doc set body = '{\"a\": 1}' where id = 1", &[][..]),
        ("update doc set body = '{\"a\": 2}' where id = 1", &["doc-{id} 1"]),
        (
            "update doc set spot = '(3,4)' where ctid = (select min(ctid) from doc where id = 1)",
            &["doc-{id} 1"],
        ),
        ("update doc set body = '[\"\\u0000\", \"\\\\u0000\"]' where id = 2", &["doc-{id} 2"]),
        ("delete from doc", &["doc-{id} 1", "doc-{id} 2"]),
        ("insert into doc values (1), (2)", &["doc-{id} 1", "doc-{id} 2"]),
        // Two rows that change places leave the table as it was.
        ("update doc set id = 3 - id", &[]),
    ] {
        sql(&postgres, statement).await;
        assert_eq!(recorded(&postgres).await, expected, "{statement}");
    }
}

#[tokio::test]
async fn any_value_is_recorded_so_that_both_sides_make_one_tag() {
    let postgres = shop().await;
    sql(&postgres, "create table thing (\"the key\" text)").await;
    let template = "it's 100% a\\b-{the key}";
    sql(&postgres, &watch_sql("thing", &[template])).await;
    let long = "ß".repeat(300);
    let values =
        ["a", "", " a  b ", "ünï/☃", "%41", "100%", "it's", "a\\b", "{the key}", "\"", "\n\t", "-", &long];
    let mut connection = PgConnection::connect(&postgres.url("postgres")).await.unwrap();
    for value in values {
        sqlx::query("insert into thing values ($1)").bind(value).execute(&mut connection).await.unwrap();
        let take = "with taken as (delete from tropos.changes returning *) \
            select template, columns ->> 'the key' from taken";
        let (from, column): (String, String) = sqlx::query_as(take).fetch_one(&mut connection).await.unwrap();
        let tag = tag_of(&from, &[("the key", &column)]).unwrap();
        // As an application would write it by hand.
        assert_eq!(tag, Tag::from(("it's 100% a\\b", value)), "{value}");
    }
}

#[tokio::test]
async fn a_value_has_one_spelling_whatever_the_session_of_the_writer() {
    let postgres = shop().await;
    let table = "create table event (at timestamptz, day date, size float8, data bytea)";
    sql(&postgres, table).await;
    sql(&postgres, &watch_sql("event", &["event-{at}-{day}-{size}-{data}"])).await;
    for session in [
        "",
        "set timezone = 'Asia/Tokyo'; set datestyle = 'German'; set extra_float_digits = -5; set bytea_output = 'escape'; ",
    ] {
        sql(&postgres, &format!("{session} insert into event values ('2026-01-02 03:04:05Z', '2026-01-02', 0.1234567890123, 'a')")).await;
        assert_eq!(
            recorded(&postgres).await,
            ["event-{at}-{day}-{size}-{data} 2026-01-02T03:04:05+00:00 \\x61 2026-01-02 0.1234567890123"]
        );
    }
}

#[tokio::test]
async fn a_partition_is_watched_with_its_table_by_whatever_name_it_is_written() {
    let postgres = shop().await;
    let table = "create table part (id int, kind text) partition by list (kind); \
        create table part_a partition of part for values in ('a'); \
        create table part_b (kind text, id int); alter table part attach partition part_b for values in ('b');";
    sql(&postgres, table).await;
    sql(&postgres, &watch_sql("part", &["part-{id}"])).await;
    for (statement, expected) in [
        ("insert into part values (1, 'a'), (2, 'b')", &["part-{id} 1", "part-{id} 2"][..]),
        ("insert into part_b (id, kind) values (3, 'b')", &["part-{id} 3"]),
        ("update part set kind = 'b' where id = 1", &["part-{id} 1"]),
        ("delete from part_b where id = 1", &["part-{id} 1"]),
    ] {
        sql(&postgres, statement).await;
        assert_eq!(recorded(&postgres).await, expected, "{statement}");
    }
    sql(&postgres, "truncate part").await;
    let all: BTreeSet<String> = recorded(&postgres).await.into_iter().collect();
    assert_eq!(Vec::from_iter(all), ["part-{id} 2", "part-{id} 3"]);
    sql(&postgres, &unwatch_sql("part")).await;
    sql(&postgres, "insert into part values (1, 'a'); insert into part_a values (2, 'a')").await;
    assert!(recorded(&postgres).await.is_empty());
}

#[tokio::test]
async fn a_watch_that_cannot_be_says_why() {
    let postgres = shop().await;
    sql(&postgres, "create view seen as select * from product").await;
    let many: Vec<String> = (0..33).map(|n| format!("tag-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (table, tags, message) in [
        ("nothing", &["a"][..], "relation \"nothing\" does not exist"),
        ("seen", &["a"], "public.seen is not a table"),
        ("product", &[""], "a tag has no name"),
        ("product", &["a-{"], "'a-{' has a brace without its other"),
        ("product", &["a-}"], "'a-}' has a brace without its other"),
        ("product", &["a-{}"], "nothing between the two"),
        (
            "product",
            &["a-{id}", "a-{Id}"],
            "public.product has no column \"Id\", which the tag 'a-{Id}' names",
        ),
        ("product", &["a-{ctid}"], "has no column ctid"),
        ("product", &["{id); drop table product; --}"], "has no column \"id); drop table product; --\""),
        ("product", &many, "more than 32"),
    ] {
        let error = postgres.psql("postgres", &watch_sql(table, tags)).await.unwrap_err().to_string();
        assert!(error.contains(message), "{table} {tags:?}: {error}");
    }
    sql(&postgres, "update product set name = 'still watched' where id = 1").await;
    assert_eq!(recorded(&postgres).await, ["product-{id} 1"]);
}

#[tokio::test]
async fn a_watched_column_that_is_renamed_fails_the_write_and_says_what_to_do() {
    let postgres = shop().await;
    sql(&postgres, "alter table product rename column id to number").await;
    let error = postgres.psql("postgres", "delete from product where number = 1").await.unwrap_err();
    assert!(error.to_string().contains("public.product has no column id any more"), "{error}");
    assert!(error.to_string().contains("Call tropos.watch again"), "{error}");
    sql(&postgres, &watch_sql("product", &["product-{number}"])).await;
    sql(&postgres, "delete from product where number = 1").await;
    assert_eq!(recorded(&postgres).await, ["product-{number} 1"]);
}

#[tokio::test]
async fn columns_may_be_called_as_the_trigger_calls_its_own_and_come_and_go_within_a_session() {
    let postgres = shop().await;
    let names = [
        "r",
        "row",
        "templates",
        "lists",
        "side",
        "version",
        "filled",
        "template",
        "columns",
        "changed",
        "place",
    ];
    let columns: Vec<String> = names.iter().map(|name| format!("\"{name}\" text default 'x'")).collect();
    sql(&postgres, &format!("create table odd (id int, {})", columns.join(", "))).await;
    let tags: Vec<String> = names.iter().map(|name| format!("{name}-{{{name}}}-{{id}}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    sql(&postgres, &watch_sql("odd", &tags)).await;
    let mut expected: Vec<String> =
        names.iter().map(|name| format!("{name}-{{{name}}}-{{id}} 1 x")).collect();
    // In the order in which `recorded` has the values: by the name of the column.
    for row in &mut expected {
        if row.starts_with(['c', 'f']) {
            *row = row.replace(" 1 x", " x 1");
        }
    }
    expected.sort();
    let mut session = PgConnection::connect(&postgres.url("postgres")).await.unwrap();
    for statement in [
        "insert into odd values (1)",
        "update odd set id = 1, r = 'y' where id = 1; delete from tropos.changes; update odd set r = 'x'; delete from tropos.changes where columns ->> 'r' = 'y'",
        "alter table odd add column later text; alter table odd drop column later; alter table odd add column last text; delete from odd",
        "insert into odd (last, id) values ('z', 1); delete from tropos.changes; truncate odd",
    ] {
        sqlx::raw_sql(statement).execute(&mut session).await.unwrap();
        assert_eq!(recorded(&postgres).await, expected, "{statement}");
    }
}

#[tokio::test]
async fn a_writer_needs_no_right_but_that_to_write_the_table() {
    let postgres = shop().await;
    sql(&postgres, "create role writer login; grant select, insert, update, delete on product to writer")
        .await;
    sql(&postgres, "create schema own authorization writer; create table own.t (id int); alter table own.t owner to writer")
        .await;
    let mut writer = PgConnection::connect(&postgres.url_as("writer", "postgres")).await.unwrap();
    sqlx::raw_sql("update product set name = 'x' where id = 7").execute(&mut writer).await.unwrap();
    assert_eq!(recorded(&postgres).await, ["product-{id} 7"]);
    for statement in [
        "select * from tropos.changes",
        "insert into tropos.changes (template, columns) values ('forged', '{}')",
        "select tropos.watch('own.t', 'product-{id}')",
        "create trigger t after insert on own.t referencing new table as tropos_new for each statement execute function tropos.record('{}', 'forged', '{}')",
    ] {
        let error = sqlx::query(statement).execute(&mut writer).await.unwrap_err().to_string();
        assert!(error.contains("permission denied for schema tropos"), "{statement}: {error}");
    }
    // Nor does it where the schema is open to it.
    sql(&postgres, "grant usage on schema tropos to writer").await;
    let error =
        sqlx::query("select tropos.watch('own.t', 'product-{id}')").execute(&mut writer).await.unwrap_err();
    assert!(error.to_string().contains("permission denied for function"), "{error}");
}

#[tokio::test]
async fn ten_instances_may_install_at_once_and_again() {
    let postgres = Postgres::start().await.unwrap();
    for _ in 0..2 {
        let installs = (0..10).map(|_| async {
            let mut connection = PgConnection::connect(&postgres.url("postgres")).await.unwrap();
            install(&mut connection).await
        });
        for installed in futures::future::join_all(installs).await {
            installed.unwrap();
        }
    }
    // As a migration runs it, in a transaction of its own.
    let mut connection = PgConnection::connect(&postgres.url("postgres")).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    sqlx::raw_sql(install_sql()).execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
}
