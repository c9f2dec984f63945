//! A cached function returns a `tropos::Result` of what serializes.
#![allow(unused)]

use tropos::cached;

#[cached(ttl = "10m")]
async fn option() -> Option<u32> {
    None
}

#[cached(ttl = "10m")]
async fn other_error() -> Result<u32, std::fmt::Error> {
    Ok(1)
}

fn main() {}
