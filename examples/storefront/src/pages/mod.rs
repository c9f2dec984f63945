//! The pages, one file each.

mod about;
mod basket;
mod board;
mod colour;
mod family;
pub mod home;
pub mod lost;
mod office;
mod order;
mod search;
mod sign_in;

pub use about::About;
pub use basket::Basket;
pub use board::Board;
pub use colour::Colour;
pub use family::FamilyPage;
pub use home::Home;
pub use office::Office;
pub use order::Order;
pub use search::Search;
pub use sign_in::SignIn;

/// The first page of a list.
fn first() -> u32 {
    1
}

/// The number of tins that the visitor's cookie tells.
fn tins_of(cookies: &tropos::Cookies) -> i64 {
    cookies.get(crate::islands::COUNT_COOKIE).and_then(|tins| tins.parse().ok()).unwrap_or_default()
}
