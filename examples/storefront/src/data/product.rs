//! A colour as it is sold.

use super::family::Family;
use serde::{Deserialize, Serialize};

/// A colour as it is sold: in tins of two and a half litres.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Product {
    pub id: i64,
    pub slug: String,
    pub name: String,
    pub hex: String,
    #[sqlx(try_from = "String")]
    pub family: Family,
    pub lightness: i64,
    pub lab_a: i64,
    pub lab_b: i64,
    pub chroma: i64,
    pub hue: i64,
    pub finish: String,
    pub description: String,
    pub price_cents: i64,
    pub stock: i64,
    pub sold: i64,
}

/// Stock from 1 to this is shown as low.
const LOW: i64 = 5;

/// How much there is of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stock {
    Out,
    Low(i64),
    Enough(i64),
}

impl Product {
    /// How much there is.
    pub const fn stock(&self) -> Stock {
        match self.stock {
            ..=0 => Stock::Out,
            left @ 1..=LOW => Stock::Low(left),
            left => Stock::Enough(left),
        }
    }

    /// The colour, for an element of the class `paint`.
    pub fn paint(&self) -> String {
        paint(&self.hex)
    }
}

/// A colour, for an element of the class `paint`.
pub fn paint(hex: &str) -> String {
    format!("--c:{hex}")
}

/// `€48.00`.
pub fn euros(cents: i64) -> String {
    format!("€{}.{:02}", grouped(cents / 100), cents % 100)
}

/// `4,099`.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `one tin`, `6 tins`.
pub fn tins(count: i64) -> String {
    match count {
        1 => "1 tin".to_owned(),
        count => format!("{} tins", grouped(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_people_write_them() {
        assert_eq!([euros(4800), euros(5), euros(123_456_789)], ["€48.00", "€0.05", "€1,234,567.89"]);
        assert_eq!([grouped(0), grouped(999), grouped(4099)], ["0", "999", "4,099"]);
        assert_eq!([tins(0), tins(1), tins(1000)], ["0 tins", "1 tin", "1,000 tins"]);
    }
}
