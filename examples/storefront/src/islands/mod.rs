//! What is interactive: all that becomes wasm. Everything here works without script too, only with less comfort.

mod add_to_basket;
mod basket_count;
mod room;
mod search_suggestions;

pub use add_to_basket::AddToBasket;
pub use basket_count::{BasketCount, COUNT_COOKIE};
pub use room::Room;
pub use search_suggestions::SearchSuggestions;
