//! An option that its mode does not have, or has otherwise.
#![allow(unused)]

use tropos::{PageResult, page};

#[page("/slip", isr(revaldiate = "60s"))]
async fn Slip() -> PageResult {
    unimplemented!()
}

#[page("/unknown", isr(revalidate = "60s", stale_while = "60s"))]
async fn Unknown() -> PageResult {
    unimplemented!()
}

#[page("/server", server(cookies))]
async fn Server() -> PageResult {
    unimplemented!()
}

#[page("/aged", server(revalidate = "60s"))]
async fn Aged() -> PageResult {
    unimplemented!()
}

#[page("/queried", ssg(query = Paging))]
async fn Queried() -> PageResult {
    unimplemented!()
}

#[page("/twice", isr(revalidate = "60s", revalidate = "never"))]
async fn Twice() -> PageResult {
    unimplemented!()
}

#[page("/valueless", isr(revalidate))]
async fn Valueless() -> PageResult {
    unimplemented!()
}

#[page("/tag", live(tags = "stock"))]
async fn Tag() -> PageResult {
    unimplemented!()
}

fn main() {}
