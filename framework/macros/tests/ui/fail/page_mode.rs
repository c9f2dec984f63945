//! Every route declares one of four modes.
#![allow(unused)]

use tropos::{PageResult, page};

#[page("/none")]
async fn None() -> PageResult {
    unimplemented!()
}

#[page("/none", )]
async fn NoneEither() -> PageResult {
    unimplemented!()
}

#[page("/static", static)]
async fn Static() -> PageResult {
    unimplemented!()
}

#[page("/ssr", ssr(tags = ["a"]))]
async fn Ssr() -> PageResult {
    unimplemented!()
}

#[page("/behind", isr, revalidate = "60s")]
async fn Behind() -> PageResult {
    unimplemented!()
}

#[page(server)]
async fn WithoutPath() -> PageResult {
    unimplemented!()
}

fn main() {}
