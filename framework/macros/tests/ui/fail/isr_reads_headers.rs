//! One render of an `isr` page answers everybody, so it cannot read what belongs to one request.
#![allow(unused)]

use tropos::{Headers, PageResult, page};

#[page("/account", isr(revalidate = "60s"))]
async fn Account(headers: Headers) -> PageResult {
    unimplemented!()
}

fn main() {}
