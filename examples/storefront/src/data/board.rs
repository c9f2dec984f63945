//! What the board shows: stock, and the latest orders.

use super::{now, orders::Order, product::Product, products};
use serde::{Deserialize, Serialize};
use tropos::{Db, Result, cached};

/// Rows of stock.
const ROWS: i64 = 14;

/// Orders in the list.
const LATEST: i64 = 8;

const DAY: i64 = 86_400_000;

/// The day's sums.
#[derive(Debug, Clone, Serialize, Deserialize, sqlx::FromRow)]
pub struct Tally {
    pub orders: i64,
    pub tins: i64,
    pub cents: i64,
}

/// An order, with its colours: hex and tins.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    pub order: Order,
    pub paints: Vec<(String, i64)>,
}

/// What sells best, and how much of it is left; the number of colours that are out.
#[cached(ttl = "never", tags = ["stock"])]
pub async fn stock(db: &Db) -> Result<(Vec<Product>, i64)> {
    let out = sqlx::query_scalar("select count(*) from product where stock = 0").fetch_one(db.read()).await?;
    Ok((products::best_sellers(db, ROWS).await?, out))
}

/// The orders of this day (UTC).
#[cached(ttl = "1m", tags = ["orders"])]
pub async fn today(db: &Db) -> Result<Tally> {
    let midnight = now() / DAY * DAY;
    // PostgreSQL sums into a type without bounds, which no integer holds.
    let sql = "select count(*) as orders, cast(coalesce(sum(tins), 0) as bigint) as tins, \
               cast(coalesce(sum(total_cents), 0) as bigint) as cents from orders where placed_at >= $1";
    Ok(sqlx::query_as(sql).bind(midnight).fetch_one(db.read()).await?)
}

/// The latest orders, without who ordered.
#[cached(ttl = "never", tags = ["orders"])]
pub async fn latest(db: &Db) -> Result<Vec<Entry>> {
    let sql = "select * from orders order by id desc limit $1";
    let orders: Vec<Order> = sqlx::query_as(sql).bind(LATEST).fetch_all(db.read()).await?;
    let sql = "select order_line.order_id, product.hex, order_line.quantity from order_line \
               join product on product.id = order_line.product_id where order_line.order_id between $1 and $2 \
               order by product.id";
    // One read for the lines of all: the orders are those between two numbers.
    let ends = orders.last().zip(orders.first()).map(|(first, last)| (first.id, last.id));
    let (first, last) = ends.unwrap_or_default();
    let lines: Vec<(i64, String, i64)> =
        sqlx::query_as(sql).bind(first).bind(last).fetch_all(db.read()).await?;
    let entry = |order: Order| {
        let own = lines.iter().filter(|(id, ..)| *id == order.id);
        Entry { paints: own.map(|(_, hex, tins)| (hex.clone(), *tins)).collect(), order }
    };
    Ok(orders.into_iter().map(entry).collect())
}
