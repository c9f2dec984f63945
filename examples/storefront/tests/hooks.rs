//! What the hooks do, by way of the shop's own program: the back office and its guard, the experiment, delivery by country.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends here")]

use std::collections::BTreeSet;
use tropos_cases::{
    client::{Client, Request},
    page::Page,
    server::{Server, Settings},
    visitor::Visitor,
};

const SECRET: &str = "not-a-secret-but-long-enough-to-sign-with";
const SIGN_IN: &str = "/api/staff/sign-in";
const CLERK: &str = "name=clerk&password=raw-umber";
const TRAINEE: &str = "name=trainee&password=pale-sienna";
/// Linen, as it is not.
const CHANGE: &str = "id=2037&price=51.50&stock=7";
/// What a browser says that it is; programs that say nothing count as crawlers.
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

async fn start(variables: &[(&str, &str)]) -> Server {
    let binary = env!("CARGO_BIN_EXE_storefront").into();
    let extra = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Server::start(Settings { binary, upstream_url: String::new(), token: None, extra }).await.unwrap()
}

fn form(path: &str, body: &str) -> Request {
    let request = Request::new("POST", path).with("content-type", "application/x-www-form-urlencoded");
    request.with("accept", "text/html").body(body)
}

#[track_caller]
fn leads(page: &Page) -> String {
    assert_eq!(page.status, 303, "{}: {}", page.request, page.text());
    page.header("location").unwrap().to_owned()
}

/// Somebody who has signed in.
async fn staff(http: &Client, who: &str) -> Visitor {
    let mut staff = Visitor::new();
    let entered = staff.post_form(http, SIGN_IN, who).await.unwrap();
    assert_eq!(leads(&entered), "/office");
    staff
}

async fn price(http: &Client) -> String {
    let page = http.get("/colour/linen").await.unwrap();
    ["€36.00", "€51.50"].into_iter().find(|price| page.text().contains(price)).unwrap().to_owned()
}

#[tokio::test]
async fn nobody_gets_into_the_office_without_a_session() {
    let server = start(&[]).await;
    let http = server.http();
    let forged = "staff=v1.eyJiIjowLCJpIjowLCJlIjo5OTk5OTk5OTk5LCJkIjp7InJvbGUiOiJjbGVyayJ9fQ.AAAA";
    for cookie in ["", "staff=", forged] {
        let by = |request: Request| if cookie.is_empty() { request } else { request.with("cookie", cookie) };
        let read = by(Request::get("/office?q=linen").with("accept", "text/html"));
        assert_eq!(leads(&http.send(&read).await.unwrap()), "/sign-in?next=%2Foffice%3Fq%3Dlinen");
        for (request, expected) in [
            (Request::get("/office"), [401, 401]),
            (Request::head("/office"), [401, 401]),
            (Request::new("POST", "/office"), [401, 401]),
            (form("/api/office/save", CHANGE), [401, 401]),
            (Request::new("POST", "/api/office/save").body(CHANGE), [401, 401]),
            (Request::get("/%6fffice"), [401, 401]),
            (Request::get("/office/"), [401, 404]),
            (Request::get("//office"), [400, 404]),
            (Request::get("/OFFICE"), [404, 404]),
            (form("/api//office/save", CHANGE), [400, 404]),
            (form("/api/office/save/", CHANGE), [401, 404]),
        ] {
            let answer = http.send(&by(request)).await.unwrap();
            assert!(expected.contains(&answer.status), "{}: {}", answer.request, answer.status);
            assert!(!answer.text().contains("Back office</h1>"), "{}", answer.request);
        }
    }
    assert_eq!(price(&http).await, "€36.00");
}

#[tokio::test]
async fn staff_sign_in_go_where_they_meant_to_and_sign_out() {
    let server = start(&[]).await;
    let http = server.http();
    let mut clerk = Visitor::new();
    let page = clerk.get(&http, "/sign-in?next=%2Foffice%3Fq%3Dlinen").await.unwrap();
    for text in ["name=\"next\" value=\"/office?q=linen\"", "raw-umber", "pale-sienna"] {
        assert!(page.text().contains(text), "no {text} in\n{}", page.text());
    }
    let entered = format!("{CLERK}&next=%2Foffice%3Fq%3Dlinen");
    let entered = clerk.post_form(&http, SIGN_IN, &entered).await.unwrap();
    assert_eq!(leads(&entered), "/office?q=linen");
    let cookie = entered.headers_named("set-cookie").find(|line| line.starts_with("staff=v1.")).unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains("Secure"),
        "{cookie}"
    );
    let office = clerk.get(&http, "/office?q=linen").await.unwrap();
    assert!(office.text().contains("Signed in as clerk"), "{}", office.text());
    assert_eq!(office.header("cache-control"), Some("private, no-store"));
    assert!(leads(&clerk.post_form(&http, "/api/office/save", CHANGE).await.unwrap()).contains("saved=2037"));
    assert_eq!(price(&http).await, "€51.50");
    assert!(clerk.get(&http, "/sign-in").await.unwrap().text().contains("You are signed in as clerk"));

    assert_eq!(leads(&clerk.post_form(&http, "/api/staff/sign-out", "").await.unwrap()), "/sign-in?out=true");
    assert!(clerk.get(&http, "/sign-in?out=true").await.unwrap().text().contains("You have signed out"));
    assert_eq!(clerk.get(&http, "/office").await.unwrap().status, 401);
    assert_eq!(clerk.post_form(&http, "/api/office/save", CHANGE).await.unwrap().status, 401);
}

#[tokio::test]
async fn a_trainee_looks_and_changes_nothing() {
    let server = start(&[]).await;
    let http = server.http();
    let mut trainee = staff(&http, TRAINEE).await;
    let office = trainee.get(&http, "/office?q=linen").await.unwrap();
    assert!(office.text().contains("You may look") && office.text().contains("value=\"36.00\""));
    assert_eq!(trainee.post_form(&http, "/api/office/save", CHANGE).await.unwrap().status, 403);
    assert_eq!(price(&http).await, "€36.00");
}

#[tokio::test]
async fn a_wrong_password_leads_back_to_the_form_and_begins_nothing() {
    let server = start(&[]).await;
    let http = server.http();
    for who in ["name=clerk&password=pale-sienna", "name=&password=", "name=%00&password=raw-umber"] {
        let refused = http.send(&form(SIGN_IN, &format!("{who}&next=%2Foffice%3Fq%3Da"))).await.unwrap();
        let to = leads(&refused);
        assert_eq!(to, "/sign-in?next=%2Foffice%3Fq%3Da&refused=true");
        assert_eq!(refused.headers_named("set-cookie").count(), 0);
        let page = http.get(&to).await.unwrap();
        assert!(page.text().contains("do not go together") && page.text().contains("value=\"/office?q=a\""));
    }
}

#[tokio::test]
async fn signing_in_leads_to_no_other_site() {
    let server = start(&[]).await;
    let http = server.http();
    for next in [
        "https%3A%2F%2Fevil.example",
        "%2F%2Fevil.example",
        "%2F%5Cevil.example",
        "%2F%09%2Fevil.example",
        "javascript%3Aalert(1)",
        "evil.example",
        "%2Foffice%0D%0ASet-Cookie%3A+a%3Db",
        "",
    ] {
        let entered = http.send(&form(SIGN_IN, &format!("{CLERK}&next={next}"))).await.unwrap();
        assert_eq!(leads(&entered), "/office", "{next}");
        let page = http.get(&format!("/sign-in?next={next}")).await.unwrap();
        assert!(page.text().contains("name=\"next\" value=\"/office\""), "{next}: {}", page.text());
    }
}

#[tokio::test]
async fn another_site_can_neither_sign_in_nor_out_nor_save() {
    let server = start(&[]).await;
    let http = server.http();
    let mut clerk = staff(&http, CLERK).await;
    for (path, body) in [(SIGN_IN, TRAINEE), ("/api/staff/sign-out", ""), ("/api/office/save", CHANGE)] {
        for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
            let answer = clerk.send(&http, form(path, body).with(name, value)).await.unwrap();
            assert_eq!(answer.status, 403, "{path} {value}");
        }
    }
    assert_eq!(price(&http).await, "€36.00");
    assert!(clerk.get(&http, "/office").await.unwrap().text().contains("Signed in as clerk"));
}

#[tokio::test]
async fn passwords_are_not_tried_without_end() {
    let server = start(&[]).await;
    let http = server.http();
    for _ in 0..20 {
        leads(&http.send(&form(SIGN_IN, "name=clerk&password=x")).await.unwrap());
    }
    let answer = http.send(&form(SIGN_IN, CLERK)).await.unwrap();
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn a_session_counts_on_all_instances_that_have_the_secret() {
    let with = [("TROPOS_SECRET", SECRET)];
    let (first, second, stranger) = (start(&with).await, start(&with).await, start(&[]).await);
    let mut clerk = staff(&first.http(), CLERK).await;
    assert_eq!(clerk.get(&second.http(), "/office").await.unwrap().status, 200);
    assert_eq!(clerk.get(&stranger.http(), "/office").await.unwrap().status, 401);
}

#[tokio::test]
async fn the_session_is_for_https_alone_where_visitors_come_by_it() {
    let server = start(&[("TROPOS_ORIGIN", "https://umberlow.example")]).await;
    let entered = server.http().send(&form(SIGN_IN, CLERK)).await.unwrap();
    let cookie = entered.headers_named("set-cookie").find(|line| line.starts_with("staff=v1.")).unwrap();
    assert!(cookie.contains("; Secure"), "{cookie}");
}

#[tokio::test]
async fn a_visitor_stays_on_one_side_of_the_experiment_and_each_side_is_stored_once() {
    let server = start(&[("TROPOS_LOG", "info,tropos::hook=debug")]).await;
    let http = server.http();
    let colour = || Request::get("/colour/linen").with("user-agent", BROWSER);
    let side = |page: &Page| match (
        page.text().contains("2.5 litres, tax"),
        page.text().contains("€1.20 a square metre, tax"),
    ) {
        (true, false) => "tin",
        (false, true) => "metre",
        sides => panic!("{sides:?}: {}", page.text()),
    };
    let mut renders = BTreeSet::new();
    let mut misses = 0;
    for _ in 0..40 {
        let mut visitor = Visitor::new();
        let first = visitor.send(&http, colour()).await.unwrap();
        let again = visitor.send(&http, colour()).await.unwrap();
        assert_eq!(side(&first), side(&again));
        assert_eq!(again.headers_named("set-cookie").count(), 0);
        assert_eq!(first.header("cache-control"), Some("private, no-cache"));
        misses += usize::from(!first.cache_status().is_hit());
        renders.insert(side(&first));
    }
    // One of 2^39 runs has but one side.
    assert_eq!((renders.len(), misses), (2, 2));
    assert!(server.log().contains("a visitor is shown a variant"), "{}", server.log());
    // Who follows links sees the control, and other pages are left as they were.
    let crawler = http.get("/colour/linen").await.unwrap();
    assert_eq!((side(&crawler), crawler.headers_named("set-cookie").count()), ("tin", 0));
    let family = http.send(&Request::get("/family/whites").with("user-agent", BROWSER)).await.unwrap();
    assert_eq!(family.headers_named("set-cookie").count(), 0);
    assert!(
        family.header("cache-control").unwrap().starts_with("public"),
        "{:?}",
        family.header("cache-control")
    );
    let forced = http.get("/colour/linen?per=metre").await.unwrap();
    assert_eq!(side(&forced), "metre");
    assert!(forced.cache_status().is_hit());
}

#[tokio::test]
async fn delivery_is_told_by_the_country_that_a_trusted_proxy_names_and_no_entry_is_added() {
    const UNION: &str = "Two to four working days within the European Union.";
    const BRITAIN: &str = "Five to eight working days to the United Kingdom, duties paid.";
    const WORLD: &str = "Two to ten working days, by where you are.";
    let (behind, open) = (start(&[("TROPOS_TRUSTED_PROXIES", "127.0.0.1")]).await, start(&[]).await);
    for (server, country, says) in [
        (&behind, "DE", UNION),
        (&behind, "GB", BRITAIN),
        (&behind, "NZ", WORLD),
        (&behind, "XX", WORLD),
        (&behind, "Germany", WORLD),
        (&open, "DE", WORLD),
    ] {
        let http = server.http();
        let mut visitor = Visitor::new();
        visitor.post_form(&http, "/api/basket/add", "slug=linen&quantity=1").await.unwrap();
        let basket = Request::get("/basket").with("cf-ipcountry", country);
        let basket = visitor.send(&http, basket).await.unwrap();
        assert!(basket.text().contains(says), "{country}: {}", basket.text());
        let colour = Request::get("/colour/lead").with("cf-ipcountry", country);
        http.send(&colour).await.unwrap();
        assert!(http.send(&colour).await.unwrap().cache_status().is_hit(), "{country}");
    }
    // One entry for everybody, wherever they are.
    let elsewhere = Request::get("/colour/lead").with("cf-ipcountry", "JP");
    assert!(behind.http().send(&elsewhere).await.unwrap().cache_status().is_hit());
}
