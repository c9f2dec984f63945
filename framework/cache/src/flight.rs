//! Single flight: one render a key at a time, and others who wait for it.
//!
//! A permit that is dropped in any way frees the key and tells those who wait. The two parts take their locks from
//! [`sync`], and `tests/schedules` gives them others: ones by which it runs every schedule of threads.

mod boarding;
mod landing;
#[cfg(test)]
mod tests;

pub(crate) use boarding::{Boarding, Flights, Landed, Permit};

/// The locks that both parts use.
mod sync {
    pub(super) use std::sync::{Mutex, MutexGuard};
}
