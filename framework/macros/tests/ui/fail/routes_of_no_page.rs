//! What is listed is a page.
#![allow(unused)]

use tropos::routes;

struct Home;

fn main() {
    let _ = routes![Home];
}
