//! What is listed is a page.
use tropos::routes;

struct Home;

fn main() {
    let _ = routes![Home];
}
