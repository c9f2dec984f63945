//! An application with two pages in a mode that does not suit them, and others that look as if theirs did not either.

use leptos::prelude::*;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tropos::{App, Cookies, Db, PageResult, Path, Session, State, page, prelude::*};
use tropos_db::sqlx::{
    self, SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

/// Counts from 1.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicUsize>);

impl Counter {
    fn next(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// Wrong: nothing in it belongs to anybody.
#[page("/terms/:part", server)]
async fn Terms(Path(part): Path<String>) -> PageResult {
    view! { <p>"Part " {part}</p> }.into_page()
}

/// Wrong: stored for somebody who comes again, and nobody does.
#[page("/receipt/:number", isr(revalidate = "60s"))]
async fn Receipt(Path(number): Path<u32>) -> PageResult {
    view! { <p>"Receipt " {number}</p> }.into_page()
}

/// Right: it looks at a cookie, if only sometimes.
#[page("/offers/:day", server)]
async fn Offers(Path(day): Path<u32>, State(count): State<Counter>) -> PageResult {
    if count.next().is_multiple_of(7) {
        let cookies: Cookies = tropos::extract().await?;
        cookies.get("member");
    }
    view! { <p>"Offers of day " {day}</p> }.into_page()
}

/// Right: it says what time it is.
#[page("/clock", server)]
async fn Clock(State(count): State<Counter>) -> PageResult {
    view! { <p>{count.next()}</p> }.into_page()
}

/// Right: stored, and read again and again.
#[page("/product/:id", isr(revalidate = "60s", tags = ["product-{id}"]))]
async fn Product(Path(id): Path<u32>) -> PageResult {
    view! { <p>"Product " {id}</p> }.into_page()
}

/// Right: another's for each.
#[page("/account", server)]
async fn Account(session: Session, cookies: Cookies) -> PageResult {
    let name = cookies.get("tropos_advise").or(session.id());
    view! { <p>"Hello " {name}</p> }.into_page()
}

/// Right: it writes down that it was seen.
#[page("/seen", server)]
async fn Watched(db: Db) -> PageResult {
    sqlx::query("insert into seen values (1)").execute(db.write()).await?;
    view! { <p>"seen"</p> }.into_page()
}

/// Right: there is nothing that a build could not make.
#[page("/about", ssg)]
async fn About() -> PageResult {
    view! { <p>"about"</p> }.into_page()
}

/// The pages, within a plain document.
pub fn planted(app: App) -> App {
    let pages = tropos::routes![Terms, Receipt, Offers, Clock, Product, Account, Watched, About];
    let table = Migration::new(
        1,
        "seen".into(),
        MigrationType::Simple,
        "create table seen (at integer)".into_sql_str(),
        false,
    );
    let migrations = Migrator::with_migrations(vec![table]);
    app.pages(pages).migrations(migrations).state(Counter::default())
}

/// What visitors ask for: each page often, and under few addresses.
pub fn sample() -> Vec<String> {
    let round = |at: usize| {
        [
            format!("/terms/{}", at % 3),
            format!("/receipt/{}", 3 * at),
            format!("/receipt/{}", 3 * at + 1),
            format!("/receipt/{}", 3 * at + 2),
            format!("/offers/{}", at % 2),
            "/clock".to_owned(),
            format!("/product/{}", at % 4),
            "/account".to_owned(),
            "/seen".to_owned(),
            "/about".to_owned(),
        ]
    };
    (0..40).flat_map(round).collect()
}
