//! What the cache is worth, and what it costs in the long run: two programs over the engine itself, by a clock that is
//! turned.
//!
//! | module | holds |
//! |---|---|
//! | [`products`] | an hour of a shop: how many reads of the database are saved |
//! | [`soak`] | many lives of a blog that everybody abuses: what grows, and what does not |
//! | [`zipf`] | who asks for what |
//! | [`alive`] | counts the values that anybody still holds |
//! | [`plateau`] | whether a series of measures has ceased to grow |

pub mod alive;
pub mod error;
pub mod plateau;
pub mod products;
pub mod soak;
pub mod zipf;

pub use error::Error;
