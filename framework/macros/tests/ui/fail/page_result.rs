//! A page returns `PageResult`.
#![allow(unused)]

use tropos::{Result, page};

#[page("/number", server)]
async fn Number() -> Result<u32> {
    Ok(1)
}

fn main() {}
