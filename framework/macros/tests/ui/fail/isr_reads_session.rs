//! One render of an `isr` page answers everybody, so it cannot read what belongs to one request.
#![allow(unused)]

use tropos::{Session, PageResult, page};

#[page("/account", isr(revalidate = "60s"))]
async fn Account(session: Session) -> PageResult {
    unimplemented!()
}

fn main() {}
