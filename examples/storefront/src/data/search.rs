//! Finding colours: by a part of their name, or by a hex value.

use super::{product::Product, products};
use crate::seed::{colour::Lab, words::search_key};
use tropos::{Db, Result};

/// Colours on one page of results.
pub const PAGE: i64 = 48;

/// Longer queries are cut: no name is longer.
const LONGEST: usize = 40;

/// A page of results, and how many there are in all.
#[derive(Debug, Default)]
pub struct Found {
    pub products: Vec<Product>,
    /// The page, from 1: the last, where a later one was asked for.
    pub page: u32,
    pub total: i64,
}

/// What is searched for, as names are searched: no name has control characters.
pub fn fold(query: &str) -> String {
    key(query.trim()).chars().filter(|letter| !letter.is_control()).take(LONGEST).collect()
}

/// A text as names are searched: people type another apostrophe than names have.
pub fn key(text: &str) -> String {
    search_key(text).replace('\'', "’")
}

/// The colours that `query` finds, on a page of `size`: those whose name begins with it first, then by what was bought
/// most. For a hex value, the nearest colours.
pub async fn search(db: &Db, query: &str, page: u32, size: i64) -> Result<Found> {
    if let Some(lab) = hex(query) {
        let slugs = products::near(db, lab.lightness, lab.a, lab.b, 0, size).await?;
        let products = products::by_slugs(db, &slugs).await?;
        return Ok(Found { page: 1, total: products.len() as i64, products });
    }
    let key = fold(query);
    if key.is_empty() {
        return Ok(Found::default());
    }
    let within = format!("%{}%", escaped(&key));
    let total = sqlx::query_scalar("select count(*) from product where name_key like $1 escape '\\'");
    let total = total.bind(&within).fetch_one(db.read()).await?;
    let page = page.clamp(1, pages(total, size));
    let sql = "select * from product where name_key like $1 escape '\\' \
               order by case when name_key like $2 escape '\\' then 0 else 1 end, sold desc, id limit $3 offset $4";
    let begin = format!("{}%", escaped(&key));
    let query = sqlx::query_as(sql).bind(within).bind(begin).bind(size);
    let products = query.bind((i64::from(page) - 1) * size).fetch_all(db.read()).await?;
    Ok(Found { products, page, total })
}

/// The colour that a query names by its value. Six letters may be a word, such as `facade`.
fn hex(query: &str) -> Option<Lab> {
    let query = query.trim();
    let is_value = query.starts_with('#') || query.bytes().any(|byte| byte.is_ascii_digit());
    Lab::of(query).filter(|_| is_value)
}

/// How many pages of `size` there are; one, where there is nothing.
pub fn pages(total: i64, size: i64) -> u32 {
    u32::try_from((total.max(1) + size - 1) / size).unwrap_or(1)
}

/// Text in which `like` sees no pattern.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_from_words() {
        for (query, is_value) in
            [("#facade", true), ("facade", false), ("c6d8c7", true), ("#fff", false), ("moon", false)]
        {
            assert_eq!(hex(query).is_some(), is_value, "{query}");
        }
    }

    #[test]
    fn the_last_page_may_be_short() {
        assert_eq!([0, 1, 48, 49, 96, 97].map(|total| pages(total, 48)), [1, 1, 1, 2, 2, 3]);
    }
}
