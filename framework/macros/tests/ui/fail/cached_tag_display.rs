//! What is a part of a tag displays.
#![allow(unused)]

use serde::{Deserialize, Serialize};
use tropos::{Result, cached};

#[derive(Clone, Serialize, Deserialize)]
struct Filter {
    family: String,
}

#[cached(ttl = "10m", tags = ["filter-{filter}"])]
async fn filtered(filter: Filter) -> Result<u32> {
    Ok(1)
}

fn main() {}
