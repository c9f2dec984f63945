//! An `ssg` page is made at build, where there are no cookies.
#![allow(unused)]

use tropos::{Cookies, PageResult, page};

#[page("/account", ssg)]
async fn Account(cookies: Cookies) -> PageResult {
    unimplemented!()
}

fn main() {}
