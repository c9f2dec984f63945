//! A cached function is a free async function with arguments of which a key can be made.
#![allow(unused)]

use std::borrow::Cow;
use tropos::{Result, cached};

#[cached(ttl = "10m")]
fn sync() -> Result<u32> {
    Ok(1)
}

#[cached(ttl = "10m")]
async fn generic<T: Clone>(value: T) -> Result<u32> {
    Ok(1)
}

#[cached(ttl = "10m")]
async fn nothing() {}

#[cached(ttl = "10m")]
async fn taken_apart((a, b): (u8, u8)) -> Result<u8> {
    Ok(a + b)
}

#[cached(ttl = "10m")]
async fn writes(list: &mut Vec<u8>) -> Result<u32> {
    Ok(1)
}

#[cached(ttl = "10m")]
async fn borrows_within(name: Option<&str>, text: Cow<'_, str>) -> Result<u32> {
    Ok(1)
}

#[cached(ttl = "10m")]
async fn of_any_type(id: impl Copy) -> Result<u32> {
    Ok(1)
}

#[cached(ttl = "10m")]
const NUMBER: u32 = 1;

fn main() {}
