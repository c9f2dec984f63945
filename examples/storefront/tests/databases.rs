//! The shop by way of its own program, on SQLite and on PostgreSQL with a replica that is behind: what a visitor without
//! script sees.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::time::Duration;
use tokio::task::JoinSet;
use tropos_cases::{
    client::{Client, Request},
    page::Page,
    server::{Server, Settings},
    visitor::Visitor,
};
use tropos_parts::{PostgresCluster, PostgresClusterOptions};

const DETAILS: &str = "name=Ada&email=a%40example.org&address=1+High+Street&finish=as-mixed";

/// How far the replica is behind: far enough that a read from it would miss what was written just before.
const BEHIND: Duration = Duration::from_millis(1500);

/// The shop, and its database where that is not a file of its own.
struct Shop {
    server: Server,
    _database: Option<PostgresCluster>,
}

async fn start(extra: Vec<(String, String)>) -> Server {
    let binary = env!("CARGO_BIN_EXE_storefront").into();
    Server::start(Settings { binary, upstream_url: String::new(), token: None, extra }).await.unwrap()
}

/// A primary with a replica, and the two variables that name them.
async fn cluster() -> (PostgresCluster, Vec<(String, String)>) {
    let cluster = PostgresClusterOptions::new(1).apply_delay(0, BEHIND).start().await.unwrap();
    let variables = [
        ("DATABASE_URL", cluster.primary().url("postgres")),
        ("DATABASE_REPLICA_URLS", cluster.replica(0).url("postgres")),
    ];
    (cluster, variables.map(|(name, value)| (name.to_owned(), value)).to_vec())
}

impl Shop {
    async fn on_sqlite() -> Self {
        Self { server: start(Vec::new()).await, _database: None }
    }

    async fn on_postgres() -> Self {
        let (cluster, variables) = cluster().await;
        let server = start(variables).await;
        // What nobody has written is read from the replica, so the colours have to be there.
        cluster.wait_until_caught_up(0).await.unwrap();
        Self { server, _database: Some(cluster) }
    }

    fn http(&self) -> Client {
        self.server.http()
    }

    /// What `/metrics` says of orders: how many, and what was paid.
    async fn trade(&self) -> (String, String) {
        let metrics = self.server.admin().get("/metrics").await.unwrap();
        let route = "http_route=\"/api/checkout\"";
        let of = |name: &str| {
            let text = metrics.text();
            let line = text.lines().find(|line| line.starts_with(name) && line.contains(route));
            line.and_then(|line| line.rsplit_once(' ')).map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        (of("tropos_business_events_total{"), of("tropos_business_value_total{"))
    }
}

/// Runs a test on both databases; on SQLite alone where PostgreSQL is not installed.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&super::Shop::on_sqlite().await).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $name() {
                if tropos_parts::has_postgres() {
                    super::$name(&super::Shop::on_postgres().await).await;
                } else {
                    eprintln!("skipped: PostgreSQL is not installed");
                }
            })*
        }
    };
}

on_both! {
    an_order_is_seen_by_its_visitor_and_by_every_page_that_shows_its_colours
    what_the_back_office_saves_is_on_all_pages_at_once
    names_are_found_whatever_their_accents_and_case
    stock_is_never_sold_twice_however_many_order_at_once
    an_order_that_is_sent_twice_is_placed_once
    hostile_text_is_no_failure
}

#[tokio::test]
async fn instances_that_start_at_once_on_an_empty_database_fill_it_once() {
    if !tropos_parts::has_postgres() {
        eprintln!("skipped: PostgreSQL is not installed");
        return;
    }
    let (cluster, variables) = cluster().await;
    let servers = [start(variables.clone()), start(variables.clone()), start(variables)];
    let servers = all(servers).await;
    let sums = "select count(*), sum(stock), (select value from counter) from product";
    assert_eq!(cluster.primary().psql("postgres", sums).await.unwrap(), "4099|176795|1000");
    for server in &servers {
        cluster.wait_until_caught_up(0).await.unwrap();
        holds(&server.http().get("/colour/linen").await.unwrap(), &["In stock, 49 tins"]);
    }
}

async fn all(starts: impl IntoIterator<Item = impl Future<Output = Server> + Send + 'static>) -> Vec<Server> {
    starts.into_iter().collect::<JoinSet<_>>().join_all().await
}

#[track_caller]
fn holds(page: &Page, texts: &[&str]) {
    for text in texts {
        assert!(page.text().contains(text), "{}: no {text:?} in\n{}", page.request, page.text());
    }
}

#[track_caller]
fn leads(page: &Page) -> String {
    assert_eq!(page.status, 303, "{}: {}", page.request, page.text());
    page.header("location").unwrap().to_owned()
}

async fn with_basket(http: &Client, slug: &str, tins: u32) -> Visitor {
    let mut visitor = Visitor::new();
    let form = format!("slug={slug}&quantity={tins}");
    let answer = visitor.post_form(http, "/api/basket/add", &form).await.unwrap();
    assert_eq!(leads(&answer), "/basket");
    visitor
}

async fn clerk(http: &Client) -> Visitor {
    let mut clerk = Visitor::new();
    let entered = clerk.post_form(http, "/api/staff/sign-in", "name=clerk&password=raw-umber").await.unwrap();
    assert_eq!(leads(&entered), "/office");
    clerk
}

async fn an_order_is_seen_by_its_visitor_and_by_every_page_that_shows_its_colours(shop: &Shop) {
    let http = shop.http();
    holds(&http.get("/colour/linen").await.unwrap(), &["In stock, 49 tins"]);
    holds(&http.get("/board").await.unwrap(), &["Nothing ordered yet"]);
    let mut visitor = with_basket(&http, "linen", 2).await;
    let added = visitor.post_form(&http, "/api/basket/add", "slug=linen&quantity=1").await.unwrap();
    assert_eq!(leads(&added), "/basket");
    visitor.post_form(&http, "/api/basket/add", "slug=lead&quantity=1").await.unwrap();
    let basket = visitor.get(&http, "/basket").await.unwrap();
    holds(&basket, &["Linen", "4 tins", "€146.00"]);
    let placed = visitor.post_form(&http, "/api/checkout", DETAILS).await.unwrap();
    assert_eq!(leads(&placed), "/order/1001");
    holds(&visitor.get(&http, "/order/1001").await.unwrap(), &["3 × Linen", "1 × Lead", "€146.00"]);
    holds(&visitor.get(&http, "/basket").await.unwrap(), &["Nothing in it yet"]);
    assert_eq!(Visitor::new().get(&http, "/order/1001").await.unwrap().status, 404);
    holds(&http.get("/colour/linen").await.unwrap(), &["In stock, 46 tins"]);
    holds(&http.get("/board").await.unwrap(), &["order-1001", "€146"]);
    assert_eq!(shop.trade().await, ("1".to_owned(), "146".to_owned()));
}

async fn what_the_back_office_saves_is_on_all_pages_at_once(shop: &Shop) {
    let http = shop.http();
    let mut clerk = clerk(&http).await;
    holds(&clerk.get(&http, "/office?q=linen").await.unwrap(), &["value=\"36.00\""]);
    holds(&http.get("/colour/linen").await.unwrap(), &["€36.00"]);
    let family = "/family/whites?sort=name";
    http.get(family).await.unwrap();
    for (price, stock) in [("51.50", 7), ("49.00", 0)] {
        let form = format!("id=2037&price={price}&stock={stock}&q=linen&page=1");
        let saved = clerk.post_form(&http, "/api/office/save", &form).await.unwrap();
        let to = leads(&saved);
        assert!(to.contains("saved=2037"), "{to}");
        let to = to.split('#').next().unwrap();
        holds(&clerk.get(&http, to).await.unwrap(), &["Saved. Linen is now", price]);
        holds(&http.get("/colour/linen").await.unwrap(), &[&format!("€{price}")]);
    }
    holds(&http.get("/colour/linen").await.unwrap(), &["Out of stock"]);
    let refused = clerk.post_form(&http, "/api/office/save", "id=2037&price=0&stock=1").await.unwrap();
    assert!(leads(&refused).contains("refused=2037"));
    let unknown = clerk.post_form(&http, "/api/office/save", "id=99999&price=1&stock=1").await.unwrap();
    assert!(leads(&unknown).contains("unknown=99999"));
}

async fn names_are_found_whatever_their_accents_and_case(shop: &Shop) {
    let http = shop.http();
    for (query, name) in
        [("BR%C3%9BL", "Crème Brûlée"), ("h2o", "H₂O"), ("lion's", "Lion’s Roar"), ("%23faf0e6", "Linen")]
    {
        holds(&http.get(&format!("/search?q={query}")).await.unwrap(), &[name]);
    }
    for query in ["%25", "_", "%5C", "x%27%20or%20%27a%27%3D%27a"] {
        let page = http.get(&format!("/search?q={query}")).await.unwrap();
        assert_eq!(page.status, 200, "{query}");
        assert!(!page.text().contains("Linen"), "{query}");
    }
}

async fn stock_is_never_sold_twice_however_many_order_at_once(shop: &Shop) {
    let http = shop.http();
    // There are three tins of clay, and of lead more than enough.
    let mut visitors = Vec::new();
    for _ in 0..12 {
        let mut visitor = with_basket(&http, "clay", 1).await;
        visitor.post_form(&http, "/api/basket/add", "slug=lead&quantity=1").await.unwrap();
        visitors.push(visitor);
    }
    let mut orders = JoinSet::new();
    for mut visitor in visitors {
        let http = http.clone();
        orders
            .spawn(async move { leads(&visitor.post_form(&http, "/api/checkout", DETAILS).await.unwrap()) });
    }
    let mut answers = orders.join_all().await;
    answers.sort();
    let refused = answers.iter().filter(|to| to.as_str() == "/basket?refused=stock").count();
    assert_eq!(refused, 9, "{answers:?}");
    // Numbers without gaps, and no number twice.
    assert_eq!(answers[9..], ["/order/1001", "/order/1002", "/order/1003"]);
    holds(&http.get("/colour/clay").await.unwrap(), &["Out of stock"]);
    assert_eq!(shop.trade().await.0, "3", "what was rolled back is no order");
    // Nothing of what was refused was taken.
    holds(&http.get("/colour/lead").await.unwrap(), &["In stock, 64 tins"]);
}

async fn an_order_that_is_sent_twice_is_placed_once(shop: &Shop) {
    let http = shop.http();
    let visitor = with_basket(&http, "linen", 1).await;
    let mut sent = JoinSet::new();
    for _ in 0..6 {
        let (mut visitor, http) = (visitor.clone(), http.clone());
        sent.spawn(async move { leads(&visitor.post_form(&http, "/api/checkout", DETAILS).await.unwrap()) });
    }
    let mut answers = sent.join_all().await;
    answers.sort();
    assert_eq!(answers, ["/basket", "/basket", "/basket", "/basket", "/basket", "/order/1001"]);
    holds(&http.get("/colour/linen").await.unwrap(), &["In stock, 48 tins"]);
}

async fn hostile_text_is_no_failure(shop: &Shop) {
    let http = shop.http();
    let office = clerk(&http).await.get(&http, "/office?q=a%00b").await.unwrap();
    assert_eq!(office.status, 200);
    for path in ["/search?q=%00", "/basket?short=%00", "/order/9223372036854775807"] {
        let status = with_basket(&http, "linen", 1).await.get(&http, path).await.unwrap().status;
        assert!(status == 200 || status == 404, "{path}: {status}");
    }
    let mut visitor = with_basket(&http, "linen", 1).await;
    let details = DETAILS.replace("Ada", "%00");
    let refused = visitor.post_form(&http, "/api/checkout", &details).await.unwrap();
    assert_eq!(leads(&refused), "/basket?refused=details");
    let quoted = DETAILS.replace("Ada", "%27%29%3B+drop+table+orders%3B--");
    let placed = visitor.post_form(&http, "/api/checkout", &quoted).await.unwrap();
    assert_eq!(leads(&placed), "/order/1001");
    let request =
        Request::new("POST", "/api/basket/add").with("accept", "text/html").body("slug=%00&quantity=1");
    let request = request.with("content-type", "application/x-www-form-urlencoded");
    assert_eq!(leads(&http.send(&request).await.unwrap()), "/basket");
}
