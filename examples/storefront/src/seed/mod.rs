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

/// Rows that go into one statement. A row binds 17 values, and SQLite takes 32,766 a statement.
const ROWS: usize = 500;

/// How many colours there are.
pub fn count() -> i64 {
    static COUNT: LazyLock<i64> = LazyLock::new(|| COLOURS.lines().skip(1).count() as i64);
    *COUNT
}

/// Fills an empty shop. Run again, it does nothing.
pub async fn seed(db: Db) -> Result<()> {
    let mut tx = db.tx().await?;
    let filled: bool =
        sqlx::query_scalar("select exists (select 1 from product)").fetch_one(&mut *tx).await?;
    if filled {
        return Ok(());
    }
    for rows in products()?.chunks(ROWS) {
        let mut insert = sqlx::QueryBuilder::new(
            "insert into product (id, slug, name, name_key, hex, family, lightness, lab_a, lab_b, chroma, hue, finish, \
             description, price_cents, stock, sold, changed_at) ",
        );
        insert.push_values(rows, |mut row, product| {
            row.push_bind(product.id)
                .push_bind(&product.slug)
                .push_bind(&product.name)
                .push_bind(words::search_key(&product.name))
                .push_bind(&product.hex)
                .push_bind(product.family.slug())
                .push_bind(product.lightness)
                .push_bind(product.lab_a)
                .push_bind(product.lab_b)
                .push_bind(product.chroma)
                .push_bind(product.hue)
                .push_bind(&product.finish)
                .push_bind(&product.description)
                .push_bind(product.price_cents)
                .push_bind(product.stock)
                .push_bind(product.sold)
                .push_bind(0_i64);
        });
        insert.build().execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(())
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
