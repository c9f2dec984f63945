//! Baskets: what a visitor means to buy, kept under their session's name.

use super::{now, product::Product, products};
use tropos::{Db, Result};

/// The most tins of one colour in a basket.
pub const MOST: i64 = 99;

/// One colour in a basket.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Line {
    #[sqlx(flatten)]
    pub product: Product,
    pub quantity: i64,
}

impl Line {
    /// What it costs.
    pub const fn cents(&self) -> i64 {
        self.product.price_cents * self.quantity
    }
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The basket is as was asked.
    Done,
    /// There is not so much: the basket stays as it was.
    TooFew(Box<Product>),
    /// No such colour.
    Unknown,
}

/// What is in a basket, in the order in which it was put there.
pub async fn lines(db: &Db, visitor: &str) -> Result<Vec<Line>> {
    let sql = "select product.*, basket.quantity from basket join product on product.id = basket.product_id \
               where basket.visitor = $1 order by basket.added_at, product.id";
    Ok(sqlx::query_as(sql).bind(visitor).fetch_all(db.read()).await?)
}

/// How many tins are in a basket.
pub async fn tins(db: &Db, visitor: &str) -> Result<i64> {
    let sql = "select cast(coalesce(sum(quantity), 0) as bigint) from basket where visitor = $1";
    let query = sqlx::query_scalar(sql);
    Ok(query.bind(visitor).fetch_one(db.read()).await?)
}

/// How many tins of one colour are in a basket.
pub async fn tins_of(db: &Db, visitor: &str, product: i64) -> Result<i64> {
    let query = sqlx::query_scalar("select quantity from basket where visitor = $1 and product_id = $2");
    let found: Option<i64> = query.bind(visitor).bind(product).fetch_optional(db.read()).await?;
    Ok(found.unwrap_or_default())
}

/// Puts tins into a basket, beside those that are there.
pub async fn add(db: &Db, visitor: &str, slug: &str, quantity: i64) -> Result<Change> {
    change(db, visitor, slug, quantity.clamp(1, MOST), true).await
}

/// Sets how many tins a basket holds of a colour; none takes it out.
pub async fn update(db: &Db, visitor: &str, slug: &str, quantity: i64) -> Result<Change> {
    change(db, visitor, slug, quantity.clamp(0, MOST), false).await
}

async fn change(db: &Db, visitor: &str, slug: &str, quantity: i64, beside: bool) -> Result<Change> {
    let Some(product) = products::by_slug(db, slug).await? else { return Ok(Change::Unknown) };
    if quantity == 0 {
        let delete = sqlx::query("delete from basket where visitor = $1 and product_id = $2");
        delete.bind(visitor).bind(product.id).execute(db.write()).await?;
        return Ok(Change::Done);
    }
    // One statement, so that nothing comes between the look at the stock and the write.
    let sql = "insert into basket (visitor, product_id, quantity, added_at) \
               select $1, id, $3, $4 from product where id = $2 and stock >= $3 + case when $5 then coalesce( \
               (select quantity from basket where visitor = $1 and product_id = $2), 0) else 0 end \
               on conflict (visitor, product_id) do update set quantity = case when not $5 then excluded.quantity \
               when basket.quantity + excluded.quantity > 99 then 99 else basket.quantity + excluded.quantity end";
    let insert = sqlx::query(sql).bind(visitor).bind(product.id).bind(quantity).bind(now()).bind(beside);
    match insert.execute(db.write()).await?.rows_affected() {
        0 => Ok(Change::TooFew(Box::new(product))),
        _ => Ok(Change::Done),
    }
}
