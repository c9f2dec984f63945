//! A cached function is free, since `self` has no place in its key.
#![allow(unused)]

use tropos::{Result, cached};

struct Shop;

impl Shop {
    #[cached(ttl = "10m")]
    async fn by_id(&self, id: u64) -> Result<u64> {
        Ok(id)
    }
}

fn main() {}
