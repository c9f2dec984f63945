//! Orders: what was bought, and the stock that it was taken from.

use super::{baskets::Line, is_text, now, product::Product};
use serde::{Deserialize, Serialize};
use tropos::{Db, Result, business, db::Tx, revalidate};

/// In which finish an order is mixed.
pub const FINISHES: [(&str, &str); 4] = [
    ("as-mixed", "As mixed"),
    ("matt", "All in matt"),
    ("eggshell", "All in eggshell"),
    ("gloss", "All in gloss"),
];

/// Who orders, and how it is mixed.
#[derive(Debug, Clone)]
pub struct Details {
    pub name: String,
    pub email: String,
    pub address: String,
    pub finish: String,
}

impl Details {
    /// What a browser checks as well, and whoever sends a form by other means does not.
    fn are_complete(&self) -> bool {
        let fits = |text: &str, most: usize| {
            !text.trim().is_empty() && text.chars().count() <= most && is_text(text)
        };
        fits(&self.name, 80)
            && fits(&self.email, 120)
            && self.email.contains('@')
            && fits(&self.address, 400)
            && FINISHES.iter().any(|(finish, _)| *finish == self.finish)
    }
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It has this number.
    Order(i64),
    /// There is nothing in the basket.
    Empty,
    /// The basket holds more of something than there is.
    TooFew,
    /// Something is missing of who orders.
    Incomplete,
}

/// An order as it is shown.
#[derive(Debug, Clone, sqlx::FromRow, Serialize, Deserialize)]
pub struct Order {
    pub id: i64,
    pub finish: String,
    pub tins: i64,
    pub total_cents: i64,
    pub placed_at: i64,
}

/// One colour of an order, at the price of the day.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct OrderLine {
    #[sqlx(flatten)]
    pub product: Product,
    pub quantity: i64,
    pub paid_cents: i64,
}

/// Orders what is in a visitor's basket, or nothing of it.
///
/// Right beside any number of others: whoever takes a row waits for whoever took it before, and all take them in one order, so
/// that no two wait for each other: the visitor's basket, products by number, the counter.
pub async fn place(db: &Db, visitor: &str, details: &Details) -> Result<Placed> {
    if !details.are_complete() {
        return Ok(Placed::Incomplete);
    }
    let mut tx = db.tx().await?;
    let now = now();
    // Taken, not looked at: a form that is sent twice finds nothing the second time.
    let sql = "delete from basket where visitor = $1 returning product_id, quantity";
    let mut basket: Vec<(i64, i64)> = sqlx::query_as(sql).bind(visitor).fetch_all(&mut tx).await?;
    if basket.is_empty() {
        return Ok(Placed::Empty);
    }
    basket.sort_unstable();
    let mut lines = Vec::with_capacity(basket.len());
    for (product, quantity) in basket {
        // Where there is too little, all of the order is rolled back.
        let sql = "update product set stock = stock - $2, sold = sold + $2, changed_at = $3 \
                   where id = $1 and stock >= $2 returning *";
        let take = sqlx::query_as(sql).bind(product).bind(quantity).bind(now);
        let Some(product) = take.fetch_optional(&mut tx).await? else {
            tx.rollback().await?;
            return Ok(Placed::TooFew);
        };
        lines.push(Line { product, quantity });
    }
    let id = write(&mut tx, visitor, details, &lines, now).await?;
    let changed = lines.iter().flat_map(|line| tags_of(&line.product));
    // All of this takes effect after the commit, and not at all where that fails.
    business::count("orders", 1);
    business::value("revenue", lines.iter().map(Line::cents).sum(), "EUR");
    revalidate::tags(changed.chain(["orders".to_owned(), "stock".to_owned()])).await?;
    tx.commit().await?;
    Ok(Placed::Order(id))
}

/// Writes an order and gives its number.
async fn write(
    tx: &mut Tx<sqlx::Any>,
    visitor: &str,
    details: &Details,
    lines: &[Line],
    now: i64,
) -> Result<i64> {
    let sql = "update counter set value = value + 1 where name = 'orders' returning value";
    let id: i64 = sqlx::query_scalar(sql).fetch_one(&mut *tx).await?;
    let (tins, cents) =
        lines.iter().fold((0, 0), |(tins, cents), line| (tins + line.quantity, cents + line.cents()));
    sqlx::query(
        "insert into orders (id, visitor, name, email, address, finish, tins, total_cents, placed_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(id)
    .bind(visitor)
    .bind(details.name.trim())
    .bind(details.email.trim())
    .bind(details.address.trim())
    .bind(&details.finish)
    .bind(tins)
    .bind(cents)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    for line in lines {
        let sql =
            "insert into order_line (order_id, product_id, quantity, price_cents) values ($1, $2, $3, $4)";
        let insert = sqlx::query(sql).bind(id).bind(line.product.id).bind(line.quantity);
        insert.bind(line.product.price_cents).execute(&mut *tx).await?;
    }
    Ok(id)
}

/// All that shows a product, but for the board.
pub fn tags_of(product: &Product) -> [String; 2] {
    [format!("product-{}", product.slug), format!("family-{}", product.family)]
}

/// An order of this visitor. Both reads see one moment, whichever server answers.
pub async fn by_id(db: &Db, visitor: &str, id: i64) -> Result<Option<(Order, Vec<OrderLine>)>> {
    let mut tx = db.read_tx().await?;
    let query = sqlx::query_as("select * from orders where id = $1 and visitor = $2").bind(id).bind(visitor);
    let Some(order) = query.fetch_optional(&mut tx).await? else { return Ok(None) };
    let sql = "select product.*, order_line.quantity, order_line.price_cents as paid_cents from order_line \
               join product on product.id = order_line.product_id where order_line.order_id = $1 order by product.id";
    let lines = sqlx::query_as(sql).bind(id).fetch_all(&mut tx).await?;
    tx.commit().await?;
    Ok(Some((order, lines)))
}
