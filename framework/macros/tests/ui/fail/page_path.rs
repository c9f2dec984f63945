//! A route's path can be matched in one way.
#![allow(unused)]

use tropos::{PageResult, page};

#[page("relative", server)]
async fn Relative() -> PageResult {
    unimplemented!()
}

#[page("/trailing/", server)]
async fn Trailing() -> PageResult {
    unimplemented!()
}

#[page("/:", server)]
async fn Nameless() -> PageResult {
    unimplemented!()
}

#[page("/*all/more", server)]
async fn BehindCatchAll() -> PageResult {
    unimplemented!()
}

#[page("/:id/:id", server)]
async fn Twice() -> PageResult {
    unimplemented!()
}

#[page("/two words", server)]
async fn Blank() -> PageResult {
    unimplemented!()
}

fn main() {}
