//! A page returns `PageResult`.
use tropos::{Result, page};

#[page("/number", server)]
async fn Number() -> Result<u32> {
    Ok(1)
}

fn main() {}
