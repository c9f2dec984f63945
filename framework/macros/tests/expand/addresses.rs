//! The address of a page is made of the parameters of its path.

use tropos::{Href, PageError, PageResult, Path, page};

/// A parameter with a type of its own.
#[derive(Clone, Copy, PartialEq)]
struct ProductId(u64);

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

impl From<&Product> for ProductId {
    fn from(product: &Product) -> Self {
        product.id
    }
}

/// Something that has an address.
struct Product {
    id: ProductId,
}

#[page("/", server)]
async fn Home() -> PageResult {
    Err(PageError::NotFound)
}

#[page("/products/:id", server)]
async fn ProductPage(Path(_id): Path<ProductId>) -> PageResult {
    Err(PageError::NotFound)
}

#[page("/orders/:number", server)]
async fn Order(Path(_number): Path<u64>) -> PageResult {
    Err(PageError::NotFound)
}

#[page("/blog/:year/*slug", server)]
async fn Blog(Path((_year, _slug)): Path<(u16, String)>) -> PageResult {
    Err(PageError::NotFound)
}

#[page("/kinds/:type", server)]
async fn Kind() -> PageResult {
    Err(PageError::NotFound)
}

mod admin {
    use tropos::{PageError, PageResult, page};

    /// A page of another module.
    #[page("/admin", server)]
    pub async fn Dashboard() -> PageResult {
        Err(PageError::NotFound)
    }
}

#[test]
fn an_address_is_made_of_the_parameters_of_the_path() {
    let addresses: [(Href, &str); 8] = [
        (Home::href(), "/"),
        (ProductPage::href(ProductId(7)), "/products/7"),
        (ProductPage::href(&Product { id: ProductId(8) }), "/products/8"),
        (Order::href(42), "/orders/42"),
        (Blog::href(2026, "a b/c"), "/blog/2026/a%20b/c"),
        (Kind::href("x/y"), "/kinds/x%2Fy"),
        (Kind::href(1), "/kinds/1"),
        (admin::Dashboard::href(), "/admin"),
    ];
    for (address, expected) in addresses {
        assert_eq!(address.as_str(), expected);
    }
}
