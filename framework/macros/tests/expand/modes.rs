//! Each mode with all of its options, and what the route then says.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use tropos::{
    Cookies, Db, Headers, Mode, Page, PageError, PageResult, Path, Query, Result, Route, Session, page,
    routes,
};

/// The page of a listing.
#[derive(Serialize, Deserialize)]
struct Paging {
    #[serde(default)]
    page: u32,
}

async fn all_slugs() -> Result<Vec<String>> {
    Ok(vec!["a".to_owned()])
}

mod listings {
    use tropos::{Db, Result};

    pub(crate) async fn best_sellers(_db: Db) -> Result<Vec<u64>> {
        Ok(vec![1, 2])
    }
}

/// A page without options.
#[page("/", ssg)]
async fn Home() -> PageResult {
    Err(PageError::NotFound)
}

#[page("/blog/:slug", ssg(prerender = all_slugs, tags = ["blog", "blog-{slug}"]))]
async fn Article(Path(_slug): Path<String>, _db: Db) -> PageResult {
    Err(PageError::NotFound)
}

#[page("/about", isr(revalidate = "never"))]
async fn About() -> PageResult {
    Err(PageError::NotFound)
}

#[page(
    "/products/:id",
    isr(
        revalidate = "60s",
        expire = "2h",
        negative = "500ms",
        prerender = listings::best_sellers,
        closed,
        tags = ["product-{id}"],
        query = Paging,
    ),
)]
async fn Product(Path(_id): Path<u64>, Query(paging): Query<Paging>) -> PageResult {
    let _ = paging.page;
    Err(PageError::NotFound)
}

#[page("/account", server)]
async fn Account(
    _cookies: Cookies,
    _headers: Headers,
    _session: Session,
    _query: Query<Paging>,
) -> PageResult {
    Err(PageError::NotFound)
}

#[page("/stock/:id", live(tags = ["stock-{id}", "stock"]))]
async fn Stock(Path(_id): Path<u64>, _cookies: Cookies) -> PageResult {
    Err(PageError::NotFound)
}

#[test]
fn a_route_says_what_its_page_declared() {
    let routes: Vec<Route> = routes![Home, Article, About, Product, Account, Stock];
    let declared: Vec<_> = routes.iter().map(|route| (route.name(), route.pattern(), route.mode())).collect();
    assert_eq!(
        declared,
        [
            ("Home", "/", Mode::Ssg),
            ("Article", "/blog/:slug", Mode::Ssg),
            ("About", "/about", Mode::Isr),
            ("Product", "/products/:id", Mode::Isr),
            ("Account", "/account", Mode::Server),
            ("Stock", "/stock/:id", Mode::Live),
        ]
    );
    assert_eq!((Product::PATTERN, Product::MODE), ("/products/:id", Mode::Isr));

    let product = Product::route();
    assert_eq!(product.ages().revalidate().to_string(), "1m");
    assert_eq!(product.ages().expire(), Some(Duration::from_secs(7200)));
    assert_eq!(product.negative(), Duration::from_millis(500));
    assert_eq!(product.tag_templates(), ["product-{id}"]);
    assert!(product.is_closed());

    let about = About::route();
    assert_eq!((about.ages().revalidate().to_string().as_str(), about.ages().expire()), ("never", None));
    assert_eq!(about.negative(), Duration::from_secs(10));
    assert!(!about.is_closed());
}
