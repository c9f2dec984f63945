//! The colours, and what the shop derives from each: a pure function of `data/colors.csv`, the same on every machine.
//!
//! The rules, and the totals that the tests hold them to, are in `data/README.md`.

pub mod colour;
pub mod words;

use crate::data::product::Product;
use colour::Lab;
use std::sync::LazyLock;
use tropos::{Db, Failure, Result};

const COLOURS: &str = include_str!("../../data/colors.csv");

/// Rows that go into one statement, which binds a value for each column: SQLite takes 32,766, and PostgreSQL twice as many.
const ROWS: usize = 500;

/// How many columns a row has.
const COLUMNS: usize = 17;

/// How many colours there are.
pub fn count() -> i64 {
    static COUNT: LazyLock<i64> = LazyLock::new(|| COLOURS.lines().skip(1).count() as i64);
    *COUNT
}

/// Fills an empty shop. Run again, it does nothing; run by two instances at once, one of them fills it.
pub async fn seed(db: Db) -> Result<()> {
    let mut tx = db.tx().await?;
    let first =
        sqlx::query_scalar::<_, i64>("select id from product limit 1").fetch_optional(&mut tx).await?;
    if first.is_some() {
        return Ok(());
    }
    for rows in products()?.chunks(ROWS) {
        let sql = insert(rows.len());
        let mut insert = sqlx::query(sqlx::AssertSqlSafe(sql));
        for product in rows {
            insert = insert
                .bind(product.id)
                .bind(&product.slug)
                .bind(&product.name)
                .bind(words::search_key(&product.name))
                .bind(&product.hex)
                .bind(product.family.slug())
                .bind(product.lightness)
                .bind(product.lab_a)
                .bind(product.lab_b)
                .bind(product.chroma)
                .bind(product.hue)
                .bind(&product.finish)
                .bind(&product.description)
                .bind(product.price_cents)
                .bind(product.stock)
                .bind(product.sold)
                .bind(0_i64);
        }
        insert.execute(&mut tx).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The statement for so many rows: `values ($1, $2, …), ($18, $19, …)`. sqlx's `QueryBuilder` would write `?`, which PostgreSQL
/// does not know.
fn insert(rows: usize) -> String {
    let row = |row: usize| {
        let values: Vec<_> = (1..=COLUMNS).map(|column| format!("${}", row * COLUMNS + column)).collect();
        format!("({})", values.join(", "))
    };
    let rows: Vec<_> = (0..rows).map(row).collect();
    format!(
        "insert into product (id, slug, name, name_key, hex, family, lightness, lab_a, lab_b, chroma, hue, finish, \
         description, price_cents, stock, sold, changed_at) values {} on conflict do nothing",
        rows.join(", ")
    )
}

/// All products.
fn products() -> Result<Vec<Product>> {
    COLOURS.lines().skip(1).zip(1..).map(|(line, id)| product(id, line)).collect()
}

fn product(id: i64, line: &str) -> Result<Product> {
    let broken = || Failure::new(format!("row {id} of the colours cannot be read: {line}"));
    let mut fields = line.split(',');
    let (Some(slug), Some(name), Some(hex), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(broken());
    };
    let lab = Lab::of(hex).ok_or_else(broken)?;
    let family = lab.family();
    let chance = |purpose| i64::from(chance(slug, purpose));
    let finish = match chance("finish") % 10 {
        0..=4 => "matt",
        5..=7 => "eggshell",
        _ => "gloss",
    };
    let dearer = [(lab.chroma >= 110, 400), (lab.chroma >= 160, 400), (finish == "gloss", 200)];
    let dearer: i64 = dearer.into_iter().filter_map(|(holds, cents)| holds.then_some(cents)).sum();
    let stock = match chance("stock") % 100 {
        0..=5 => 0,
        6..=15 => 1 + chance("few") % 5,
        _ => 6 + chance("many") % 90,
    };
    Ok(Product {
        id,
        slug: slug.to_owned(),
        name: name.to_owned(),
        hex: hex.to_owned(),
        family,
        lightness: lab.lightness,
        lab_a: lab.a,
        lab_b: lab.b,
        chroma: lab.chroma,
        hue: lab.hue,
        description: words::description(name, lab, family, finish, self::chance(slug, "room")),
        finish: finish.to_owned(),
        price_cents: 3400 + 200 * (chance("price") % 8) + dearer,
        stock,
        sold: 96_000 / (40 + chance("sold") % 10_007),
    })
}

/// 64-bit FNV-1a of `slug/purpose`, folded to 32 bits.
fn chance(slug: &str, purpose: &str) -> u32 {
    let bytes = slug.bytes().chain(*b"/").chain(purpose.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    ((hash ^ (hash >> 32)) & 0xffff_ffff) as u32
}

#[cfg(test)]
mod tests;
