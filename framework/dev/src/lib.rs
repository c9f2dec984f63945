//! What the dev server and the open page share: whether an edit of a `view!` can be patched into the page, and the
//! scripts that do it there.
//!
//! | module | holds |
//! |---|---|
//! | [`views`] | `view!` macros in sources, and what changed between two of them |
//! | [`client`] | the scripts that the dev server adds to each page |
//!
//! No I/O: the dev server (`cargo tropos dev`) reads, watches and sends.

pub mod client;
pub mod views;
