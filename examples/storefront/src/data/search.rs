//! Finding colours: by a part of their name, or by a hex value.

use super::{product::Product, products};
use crate::seed::{colour::Lab, words::search_key};
use tropos::{Db, Result};

/// Colours on one page of results.
pub const PAGE: i64 = 48;

/// Longer queries are cut: no name is longer.
const LONGEST: usize = 40;

/// A page of results, and how many there are in all.
pub struct Found {
    pub products: Vec<Product>,
    pub total: i64,
}

/// What is searched for, as names are searched.
pub fn fold(query: &str) -> String {
    let folded = search_key(query.trim()).replace('\'', "’");
    folded.chars().take(LONGEST).collect()
}

/// The colours that `query` finds, on a page of `size`: those whose name begins with it first, then by what was bought
/// most. For a hex value, the nearest colours.
pub async fn search(db: &Db, query: &str, page: u32, size: i64) -> Result<Found> {
    if let Some(lab) = Lab::of(query.trim()) {
        let slugs = products::near(db, lab.lightness, lab.a, lab.b, 0, size).await?;
        let products = products::by_slugs(db, &slugs).await?;
        return Ok(Found { total: products.len() as i64, products });
    }
    let key = fold(query);
    if key.is_empty() {
        return Ok(Found { products: Vec::new(), total: 0 });
    }
    let within = format!("%{}%", escaped(&key));
    let total = sqlx::query_scalar("select count(*) from product where name_key like $1 escape '\\'");
    let total = total.bind(&within).fetch_one(db.read()).await?;
    let sql = "select * from product where name_key like $1 escape '\\' \
               order by case when name_key like $2 escape '\\' then 0 else 1 end, sold desc, id limit $3 offset $4";
    let begin = format!("{}%", escaped(&key));
    let query = sqlx::query_as(sql).bind(within).bind(begin).bind(size);
    let products = query.bind((i64::from(page) - 1) * size).fetch_all(db.read()).await?;
    Ok(Found { products, total })
}

/// Text in which `like` sees no pattern.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
