//! The back office: prices and stock.

use super::{now, orders::tags_of, product::Product};
use tropos::{Db, Result, revalidate};

/// What became of a change.
pub enum Saved {
    /// It is done, and all that shows the product follows.
    Done(Box<Product>),
    /// Price or stock is none.
    Refused,
    /// No such product.
    Unknown,
}

/// Sets price and stock of a product.
pub async fn save(db: &Db, id: i64, price: &str, stock: i64) -> Result<Saved> {
    let (Some(cents), 0..=9999) = (cents(price), stock) else { return Ok(Saved::Refused) };
    let sql = "update product set price_cents = $2, stock = $3, changed_at = $4 where id = $1 returning *";
    let query = sqlx::query_as(sql).bind(id).bind(cents).bind(stock).bind(now());
    let mut tx = db.tx().await?;
    let product: Option<Product> = query.fetch_optional(&mut tx).await?;
    let Some(product) = product else { return Ok(Saved::Unknown) };
    // Takes effect after the commit.
    revalidate::tags(tags_of(&product).into_iter().chain(["stock".to_owned()])).await?;
    tx.commit().await?;
    Ok(Saved::Done(Box::new(product)))
}

/// A product as it is now.
pub async fn by_id(db: &Db, id: i64) -> Result<Option<Product>> {
    Ok(sqlx::query_as("select * from product where id = $1").bind(id).fetch_optional(db.read()).await?)
}

/// Cents of `44` or `44.00`, up to four digits before the point; never nothing.
fn cents(text: &str) -> Option<i64> {
    let (euros, cents) = text.trim().split_once('.').unwrap_or((text.trim(), "00"));
    let digits = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        let fits = lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| text.parse::<i64>().ok()).flatten()
    };
    let price = digits(euros, 1..=4)? * 100 + digits(cents, 2..=2)?;
    (price > 0).then_some(price)
}

#[cfg(test)]
mod tests {
    use super::cents;

    #[test]
    fn prices_are_read_to_the_cent() {
        for (text, expected) in [
            ("44", Some(4400)),
            ("44.00", Some(4400)),
            (" 9999.99 ", Some(999_999)),
            ("0.01", Some(1)),
            ("0", None),
            ("44.5", None),
            ("-1", None),
            ("12345", None),
            ("1e3", None),
            ("", None),
        ] {
            assert_eq!(cents(text), expected, "{text}");
        }
    }
}
