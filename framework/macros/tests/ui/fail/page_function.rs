//! A page is a free async function that owns what it takes.
#![allow(unused)]

use tropos::{Db, PageResult, page};

#[page("/sync", server)]
fn Sync() -> PageResult {
    unimplemented!()
}

#[page("/generic", server)]
async fn Generic<'a, T>(value: T) -> PageResult
where
    T: Clone,
{
    unimplemented!()
}

#[page("/method", server)]
async fn Method(&self) -> PageResult {
    unimplemented!()
}

#[page("/nothing", server)]
async fn Nothing() {}

#[page("/borrowing", server)]
async fn Borrowing(db: &Db, any: impl Clone) -> PageResult {
    unimplemented!()
}

#[page("/structure", server)]
struct Structure;

fn main() {}
