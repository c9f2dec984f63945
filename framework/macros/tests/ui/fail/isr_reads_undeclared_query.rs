//! An `isr` page reads the query keys that it declares: they are in the key of its entry.
#![allow(unused)]

use serde::{Deserialize, Serialize};
use tropos::{PageResult, Query, page};

#[derive(Serialize, Deserialize)]
struct Paging {
    page: u32,
}

#[derive(Serialize, Deserialize)]
struct Sorting {
    by: String,
}

#[page("/undeclared", isr(revalidate = "60s"))]
async fn Undeclared(Query(paging): Query<Paging>) -> PageResult {
    unimplemented!()
}

#[page("/other", isr(revalidate = "60s", query = Paging))]
async fn Other(Query(sorting): Query<Sorting>) -> PageResult {
    unimplemented!()
}

fn main() {}
