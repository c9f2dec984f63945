//! Rows from one side to the other, and away.

use super::{
    MoveError,
    session::Session,
    sql::{NUMBERED, Table},
};
use crate::shard::SlotRanges;
use futures::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Connection as _};

/// How far the copy of one table is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Copied {
    pub(super) after: Option<String>,
    pub(super) rows: i64,
    pub(super) done: bool,
}

/// How far the copy of a table is, by what the target has written down.
pub(super) async fn copied(
    target: &mut Session,
    slots: &SlotRanges,
    table: &Table,
) -> Result<Copied, MoveError> {
    let failed = target.failed();
    let sql = "select after, rows, done from tropos_copied where slots = $1 and tbl = $2";
    let row: Option<(Option<String>, i64, bool)> = sqlx::query_as(sql)
        .bind(slots.to_string())
        .bind(&table.name)
        .fetch_optional(&mut target.connection)
        .await
        .map_err(failed)?;
    Ok(row.map(|(after, rows, done)| Copied { after, rows, done }).unwrap_or_default())
}

/// Copies the next batch of a table, and writes down how far that was in the same transaction: a batch is copied once.
pub(super) async fn copy_batch(
    source: &mut Session,
    target: &mut Session,
    slots: &SlotRanges,
    table: &Table,
    before: Copied,
    most: u32,
) -> Result<Copied, MoveError> {
    let after = before.after.as_deref();
    let last = last_of_batch(source, slots, table, after, most).await?;
    let (source_failed, target_failed) = (source.failed(), target.failed());
    let mut transaction = target.connection.begin().await.map_err(&target_failed)?;
    let next = match &last {
        None => Copied { done: true, ..before },
        Some(last) => {
            let copy_out = table.copy_out(slots, after, last);
            let mut rows = source.connection.copy_out_raw(&copy_out).await.map_err(&source_failed)?;
            let mut sink = transaction.copy_in_raw(&table.copy_in()).await.map_err(&target_failed)?;
            while let Some(piece) = rows.try_next().await.map_err(&source_failed)? {
                sink.send(piece).await.map_err(&target_failed)?;
            }
            let rows = sink.finish().await.map_err(&target_failed)?;
            let rows = before.rows.saturating_add(i64::try_from(rows).unwrap_or(i64::MAX));
            Copied { after: Some(last.clone()), rows, done: false }
        }
    };
    let sql = "insert into tropos_copied (slots, tbl, after, rows, done) values ($1, $2, $3, $4, $5)
               on conflict (slots, tbl) do update set after = $3, rows = $4, done = $5";
    let noted = sqlx::query(sql).bind(slots.to_string()).bind(&table.name);
    let noted = noted.bind(&next.after).bind(next.rows).bind(next.done);
    noted.execute(&mut *transaction).await.map_err(&target_failed)?;
    transaction.commit().await.map_err(&target_failed)?;
    Ok(next)
}

/// Deletes the rows of a table in batches, each a transaction, and says how many these were. `on_batch` hears the number
/// so far.
pub(super) async fn delete(
    side: &mut Session,
    slots: &SlotRanges,
    table: &Table,
    most: u32,
    on_batch: &mut (dyn FnMut(u64) + Send),
) -> Result<u64, MoveError> {
    let mut after: Option<String> = None;
    let mut rows = 0;
    while let Some(last) = last_of_batch(side, slots, table, after.as_deref(), most).await? {
        rows += side.run(table.delete(slots, after.as_deref(), &last)).await?;
        after = Some(last);
        on_batch(rows);
    }
    Ok(rows)
}

async fn last_of_batch(
    side: &mut Session,
    slots: &SlotRanges,
    table: &Table,
    after: Option<&str>,
    most: u32,
) -> Result<Option<String>, MoveError> {
    let failed = side.failed();
    let sql = AssertSqlSafe(table.last_of_batch(slots, after, most));
    sqlx::query_scalar(sql).fetch_optional(&mut side.connection).await.map_err(failed)
}

/// How many rows a side has of the slots, and what they come to.
pub(super) async fn digest(
    side: &mut Session,
    slots: &SlotRanges,
    table: &Table,
) -> Result<(i64, String), MoveError> {
    let failed = side.failed();
    let digest = sqlx::query_as(AssertSqlSafe(table.digest(slots)));
    digest.fetch_one(&mut side.connection).await.map_err(failed)
}

/// The statements that raise the sequences of a table, so that they give none of the copied numbers again.
pub(super) async fn raise_sequences(side: &mut Session, table: &Table) -> Result<Vec<String>, MoveError> {
    let failed = side.failed();
    let columns: Vec<String> = sqlx::query_scalar(NUMBERED)
        .bind(&table.name)
        .fetch_all(&mut side.connection)
        .await
        .map_err(failed)?;
    Ok(columns.iter().map(|column| table.raise_sequence(column)).collect())
}

/// The tables of both sides, if they are the same.
pub(super) async fn common_tables(
    source: &mut Session,
    target: &mut Session,
) -> Result<Vec<Table>, MoveError> {
    let (tables, others) = (source.tables().await?, target.tables().await?);
    match difference(&tables, &others) {
        Some((table, difference)) => Err(MoveError::Tables { table, difference }),
        None => Ok(tables),
    }
}

fn difference(tables: &[Table], others: &[Table]) -> Option<(String, String)> {
    let named = |among: &[Table], name: &str| among.iter().find(|table| table.name == name).cloned();
    if let Some(table) = others.iter().find(|table| named(tables, &table.name).is_none()) {
        return Some((table.name.clone(), "it is sharded at the target alone".to_owned()));
    }
    for table in tables {
        let different = match named(others, &table.name) {
            None => "it is sharded at the source alone".to_owned(),
            Some(other) if other.columns != table.columns => {
                let column = table.columns.iter().find(|column| !other.columns.contains(column));
                let column =
                    column.or_else(|| other.columns.iter().find(|column| !table.columns.contains(column)));
                column.map(|(name, kind)| format!("column {name} {kind}")).unwrap_or_default()
            }
            Some(other) if other.key != table.key => format!("it goes by {} and by {}", table.key, other.key),
            Some(other) if other.primary != table.primary => "its primary key".to_owned(),
            Some(_) => continue,
        };
        return Some((table.name.clone(), different));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_different_between_tables_is_named() {
        let table = |name: &str, columns: &[&str], primary: &str| Table {
            name: name.to_owned(),
            key: "id".to_owned(),
            columns: columns.iter().map(|column| ((*column).to_owned(), "text".to_owned())).collect(),
            primary: vec![primary.to_owned()],
            refers_to_itself: false,
        };
        let one = || table("one", &["id", "x"], "id");
        for (tables, others, said) in [
            (vec![one()], vec![one()], None),
            (vec![one()], vec![], Some("it is sharded at the source alone")),
            (vec![], vec![one()], Some("it is sharded at the target alone")),
            (vec![one()], vec![table("one", &["id"], "id")], Some("column x text")),
            (vec![one()], vec![table("one", &["id", "x", "y"], "id")], Some("column y text")),
            (vec![one()], vec![table("one", &["id", "x"], "x")], Some("its primary key")),
        ] {
            assert_eq!(difference(&tables, &others).map(|(_, said)| said).as_deref(), said);
        }
    }
}
