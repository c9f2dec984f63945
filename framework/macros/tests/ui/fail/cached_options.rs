//! A cached function says how long its results are kept.
#![allow(unused)]

use tropos::{Result, cached};

#[cached]
async fn none() -> Result<u32> {
    Ok(1)
}

#[cached(tags = ["a"])]
async fn tags_only() -> Result<u32> {
    Ok(1)
}

#[cached(ttl = "inf")]
async fn inf() -> Result<u32> {
    Ok(1)
}

#[cached(ttl = 600)]
async fn number() -> Result<u32> {
    Ok(1)
}

#[cached(ttl = "10m", expire = "5m")]
async fn expire() -> Result<u32> {
    Ok(1)
}

#[cached(tll = "10m")]
async fn slip() -> Result<u32> {
    Ok(1)
}

#[cached(revalidate = "10m")]
async fn as_pages_say_it() -> Result<u32> {
    Ok(1)
}

#[cached(ttl = "10m", tags = ["product-{id}"])]
async fn no_arguments() -> Result<u32> {
    Ok(1)
}

#[cached(ttl = "10m", tags = ["product-{id}", "{}"])]
async fn other_argument(slug: String) -> Result<u32> {
    Ok(1)
}

fn main() {}
