//! Products, baskets and orders.
//!
//! Reads are cached and carry tags; whatever writes invalidates by those tags, and the pages that read them follow:
//!
//! | tag | on |
//! |---|---|
//! | `product-{slug}` | one product: its page, and every page that shows it by itself |
//! | `family-{family}` | the lists of a family |
//! | `stock` | what the board shows of products |
//! | `orders` | what the board shows of orders |

pub mod baskets;
pub mod board;
pub mod family;
pub mod office;
pub mod orders;
pub mod product;
pub mod products;
pub mod search;
pub mod staff;

/// Whether PostgreSQL's text can hold it: any character but NUL.
fn is_text(text: &str) -> bool {
    !text.contains('\0')
}

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "when something was ordered is a fact of the outside world")]
pub fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or_default()
}
