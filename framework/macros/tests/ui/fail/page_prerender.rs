//! What is made at build must be known at build.
#![allow(unused)]

use tropos::{PageResult, page};

#[page("/products/:id", ssg)]
async fn Unlisted() -> PageResult {
    unimplemented!()
}

#[page("/items/:id", isr(revalidate = "60s", closed))]
async fn ClosedToNothing() -> PageResult {
    unimplemented!()
}

#[page("/open/:id", isr(revalidate = "60s", prerender = all, closed = false))]
async fn ClosedHasNoValue() -> PageResult {
    unimplemented!()
}

#[page("/about", ssg(prerender = all))]
async fn NothingToList() -> PageResult {
    unimplemented!()
}

#[page("/imprint", isr(revalidate = "60s", closed))]
async fn NothingToClose() -> PageResult {
    unimplemented!()
}

#[page("/text/:id", ssg(prerender = "all"))]
async fn Text() -> PageResult {
    unimplemented!()
}

fn main() {}
