//! The pages, one file each.

mod board;
mod home;
mod lost;
mod note;
mod write;

pub use board::Board;
pub use home::Home;
pub use lost::{failed, not_found};
pub use note::Note;
pub use write::{AUTHOR, Write};
