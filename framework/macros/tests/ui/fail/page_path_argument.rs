//! The argument `Path<T>` takes as many parameters as the path has.
#![allow(unused)]

use tropos::{PageResult, Path, page};

#[page("/about", server)]
async fn None(Path(id): Path<u64>) -> PageResult {
    unimplemented!()
}

#[page("/products/:id", server)]
async fn One(Path((id, page)): Path<(u64, u64)>) -> PageResult {
    unimplemented!()
}

#[page("/blog/:year/*slug", server)]
async fn Two(Path(year): Path<u16>) -> PageResult {
    unimplemented!()
}

fn main() {}
