//! The result of a cached function is given to everybody who calls with equal arguments.
#![allow(unused)]

use tropos::{Cookies, Result, cached};

#[cached(ttl = "10m")]
async fn basket(cookies: Cookies) -> Result<u32> {
    Ok(1)
}

#[cached(ttl = "10m")]
async fn greeting(cookies: &Cookies) -> Result<u32> {
    Ok(1)
}

fn main() {}
