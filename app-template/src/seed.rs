//! What an empty database is filled with.

use tropos::{Db, Result};

const NOTES: [(&str, &str, &str); 3] = [
    (
        "islands",
        "Islands",
        "The heart on this page is an island: the only part that becomes wasm. Without it the heart is \
         a form, and works all the same.",
    ),
    (
        "tags",
        "Tags",
        "This page carries the tag note-tags, because it read this note. Whoever changes the note names \
         the tag, and the stored page is made anew. Like it, and see the number on the board.",
    ),
    (
        "modes",
        "Modes",
        "Each page says how it is made, in the line above its function. This one is isr: made at its \
         first visit, kept, and handed to everybody.",
    ),
];

/// Fills an empty database. It runs at each start, so it does nothing where there are notes.
pub async fn seed(db: Db) -> Result<()> {
    let any: Option<i64> = sqlx::query_scalar("select likes from note limit 1")
        .fetch_optional(db.read())
        .await?;
    if any.is_some() {
        return Ok(());
    }
    let sql = "insert into note (slug, title, text, author, likes, written_at) values ($1, $2, $3, $4, $5, $6)";
    let mut tx = db.tx().await?;
    for ((slug, title, text), order) in NOTES.into_iter().zip(1_i64..) {
        let insert = sqlx::query(sql)
            .bind(slug)
            .bind(title)
            .bind(text)
            .bind("Tropos");
        insert.bind(order * 3).bind(order).execute(&mut tx).await?;
    }
    tx.commit().await?;
    Ok(())
}
