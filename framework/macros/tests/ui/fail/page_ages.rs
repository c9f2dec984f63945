//! An age is a whole number with a unit, and an entry is stale before it ends.
#![allow(unused)]

use tropos::{PageResult, page};

#[page("/inf", isr(revalidate = "inf"))]
async fn Inf() -> PageResult {
    unimplemented!()
}

#[page("/nan", isr(revalidate = "NaN"))]
async fn Nan() -> PageResult {
    unimplemented!()
}

#[page("/negative", isr(revalidate = "-1s"))]
async fn Negative() -> PageResult {
    unimplemented!()
}

#[page("/number", isr(revalidate = 60))]
async fn Number() -> PageResult {
    unimplemented!()
}

#[page("/none", isr)]
async fn None() -> PageResult {
    unimplemented!()
}

#[page("/none-either", isr(expire = "1h"))]
async fn NoneEither() -> PageResult {
    unimplemented!()
}

#[page("/expire", isr(revalidate = "60s", expire = "10s"))]
async fn Expire() -> PageResult {
    unimplemented!()
}

#[page("/endless", isr(revalidate = "60s", expire = "never"))]
async fn Endless() -> PageResult {
    unimplemented!()
}

#[page("/several", isr(revalidate = "1.5s", expire = "1w", negative = "0s"))]
async fn Several() -> PageResult {
    unimplemented!()
}

fn main() {}
