//! A tag names parameters of its path.
#![allow(unused)]

use tropos::{PageResult, page};

#[page("/products/:id", server(tags = ["products", "product-{slug}"]))]
async fn Unknown() -> PageResult {
    unimplemented!()
}

#[page("/about", live(tags = ["about-{id}"]))]
async fn NoParameters() -> PageResult {
    unimplemented!()
}

#[page("/items/:id", server(tags = ["", "item-{id", "item-id}", "item-{id:?}"]))]
async fn Malformed() -> PageResult {
    unimplemented!()
}

fn main() {}
