//! An address is made of the parameters of its path, by their types.
#![allow(unused)]

use tropos::{PageResult, Path, page};

struct ProductId(u64);
struct CategoryId(u64);

impl std::fmt::Display for ProductId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for ProductId {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[page("/products/:id", server)]
async fn Product(Path(id): Path<ProductId>) -> PageResult {
    unimplemented!()
}

fn main() {
    Product::href();
    Product::href(CategoryId(1));
}
