//! A page that is compiled out leaves nothing behind, and other attributes go where they belong.

use tropos::{Page, PageError, PageResult, Result, cached, page};

#[page("/never", server)]
#[cfg(any())]
async fn Never() -> PageResult {
    this_is_not_there()
}

#[cached(ttl = "10m")]
#[cfg(any())]
async fn never() -> this::is::not::There {}

#[cached(ttl = "10m")]
#[allow(unused_variables, dead_code)]
async fn always() -> Result<u32> {
    let unused = 1;
    Ok(2)
}

#[page("/always", server)]
#[cfg(not(any()))]
#[allow(unused_variables, clippy::unused_async)]
async fn Always() -> PageResult {
    let unused = 1;
    Err(PageError::NotFound)
}

#[test]
fn attributes_go_where_they_belong() {
    assert_eq!(Always::PATTERN, Always::href().as_str());
}
