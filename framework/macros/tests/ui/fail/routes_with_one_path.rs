//! Two routes with one path, however they call its parameters.
#![allow(unused)]

use tropos::{PageResult, Path, page, routes};

#[page("/", server)]
async fn Home() -> PageResult {
    unimplemented!()
}

#[page("/products/:id", server)]
async fn Product(Path(_id): Path<u64>) -> PageResult {
    unimplemented!()
}

mod shop {
    use tropos::{PageResult, page};

    #[page("/products/:slug", server)]
    pub async fn Item() -> PageResult {
        unimplemented!()
    }
}

fn main() {
    let _ = routes![Home, Product, shop::Item];
}
