//! What several pages show.

pub mod card;
pub mod frame;
pub mod pager;
pub mod picture;
pub mod plain_search;
pub mod spectrum;
pub mod tries;

pub use card::{Card, Grid, Waiting};
pub use frame::{Place, frame};
pub use pager::Pager;
pub use plain_search::PlainSearch;
pub use spectrum::Spectrum;
pub use tries::Tries;

/// The colours that pages name by themselves; a test finds each among the products.
#[cfg(test)]
pub const NAMED: [&[&str]; 2] = [&crate::pages::home::FAN, &tries::TRIES];
