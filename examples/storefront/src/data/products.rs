//! Reading products.

use super::{family::Family, is_text, product::Product};
use serde::{Deserialize, Serialize};
use tropos::{Db, Result, cached};

/// Colours on one page of a family.
pub const PAGE: i64 = 48;

/// The order of a family's colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    #[default]
    Light,
    Hue,
    Sold,
    Price,
    Name,
}

impl Sort {
    /// All orders, each with its key in addresses and its name.
    pub const ALL: [(Sort, &'static str, &'static str); 5] = [
        (Self::Light, "light", "Light to dark"),
        (Self::Hue, "hue", "By hue"),
        (Self::Sold, "sold", "Most bought"),
        (Self::Price, "price", "By price"),
        (Self::Name, "name", "A to Z"),
    ];

    /// Each has an index.
    const fn columns(self) -> &'static str {
        match self {
            Self::Light => "lightness desc, id",
            Self::Hue => "hue, id",
            Self::Sold => "sold desc, id",
            Self::Price => "price_cents, id",
            Self::Name => "name_key, id",
        }
    }
}

/// One product.
#[cached(ttl = "1h", tags = ["product-{slug}"])]
pub async fn by_slug(db: &Db, slug: &str) -> Result<Option<Product>> {
    if !is_text(slug) {
        return Ok(None);
    }
    let query = sqlx::query_as("select * from product where slug = $1").bind(slug);
    Ok(query.fetch_optional(db.read()).await?)
}

/// Some products, in the order of their slugs. Each is a read of its own, so that a page depends on just these.
pub async fn by_slugs(db: &Db, slugs: &[impl AsRef<str>]) -> Result<Vec<Product>> {
    let mut found = Vec::with_capacity(slugs.len());
    for slug in slugs {
        found.extend(by_slug(db, slug.as_ref()).await?);
    }
    Ok(found)
}

/// One page of a family, from 1.
#[cached(ttl = "1h", tags = ["family-{family}"])]
pub async fn of_family(db: &Db, family: Family, sort: Sort, page: u32) -> Result<Vec<Product>> {
    let sql =
        format!("select * from product where family = $1 order by {} limit $2 offset $3", sort.columns());
    let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(family.slug()).bind(PAGE);
    Ok(query.bind((i64::from(page) - 1) * PAGE).fetch_all(db.read()).await?)
}

/// The coordinates of a colour.
pub type Swatch = (String, i64, i64);

/// All colours of a family, from the lightest to the darkest: hex, a and b. They never change.
#[cached(ttl = "never")]
pub async fn swatches(db: &Db, family: Family) -> Result<Vec<Swatch>> {
    let sql = "select hex, lab_a, lab_b from product where family = $1 order by lightness desc, id";
    Ok(sqlx::query_as(sql).bind(family.slug()).fetch_all(db.read()).await?)
}

/// What has been bought most.
pub async fn best_sellers(db: &Db, limit: i64) -> Result<Vec<Product>> {
    let query = sqlx::query_as("select * from product order by sold desc, id limit $1").bind(limit);
    Ok(query.fetch_all(db.read()).await?)
}

/// The slugs of the colours nearest to one, by distance to the eye. Colours never change, whatever their price does.
#[cached(ttl = "never")]
pub async fn near(db: &Db, lightness: i64, a: i64, b: i64, but: i64, limit: i64) -> Result<Vec<String>> {
    let sql = "select slug from product where lightness between $1 - 60 and $1 + 60 and id <> $4 \
               order by (lightness - $1) * (lightness - $1) + (lab_a - $2) * (lab_a - $2) \
               + (lab_b - $3) * (lab_b - $3), id limit $5";
    let query = sqlx::query_scalar(sql).bind(lightness).bind(a).bind(b).bind(but).bind(limit);
    Ok(query.fetch_all(db.read()).await?)
}
