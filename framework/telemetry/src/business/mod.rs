//! Figures of the application's own trade: how many orders, how much revenue; by route, and by what visitors were shown.
//!
//! | module | holds |
//! |---|---|
//! | `currency` | names of currencies, and how many digits their smallest units have |
//! | `figures` | the sums since the start, and what may be a name |
//! | `minutes` | the last hour, minute by minute |
//!
//! Sums are whole numbers of the smallest unit (cents), so they are exact; only what is shown of them is a decimal.

mod currency;
mod figures;
mod minutes;

pub use currency::Currency;
pub use figures::{Attached, Figures, Refused, Sum, Totals};
pub use minutes::{Minute, Series};
