//! Rows of the database on pages, on whichever database the server has.

use super::cases;
use crate::{
    check::{Outcome, that},
    client::Request,
    context::Context,
    expect::{HIT, RENEWED, STORED},
    replicated::write,
    visitor::Visitor,
};

cases! {
    - "a row that was written is on its pages at the next request, and at once again when it changes" => written_rows;
    - "a row that is missing is not found, until it is written" => missing_rows;
    - "pages of rows are read, and the API of rows is written to: any other method is answered with 405" => methods;
    - "keys and values that mean something to SQL, HTML or tags are kept as they are" => hostile_keys;
    - "what no database can hold is refused, and changes nothing" => refused;
    - "a write from another site is refused before it runs" => other_sites;
}

async fn written_rows(c: Context) -> Outcome {
    let key = c.key("row");
    let (page, stored) = (format!("/db/{key}"), format!("/db-isr/{key}"));
    let mut visitor = Visitor::new();
    for (round, value) in ["first", "second", "third"].into_iter().enumerate() {
        write(&mut visitor, &c.http, &key, value).await?.is(204)?;
        visitor.get(&c.http, &page).await?.shows(value)?.is_private()?;
        let status = if round == 0 { STORED } else { RENEWED };
        c.get(&stored).await?.shows(value)?.cache(status)?;
        c.get(&stored).await?.shows(value)?.cache(HIT)?;
    }
    let neighbour = c.key("row");
    write(&mut visitor, &c.http, &neighbour, "other").await?.is(204)?;
    c.get(&stored).await?.shows("third")?.cache(HIT).map(drop)
}

async fn missing_rows(c: Context) -> Outcome {
    let key = c.key("missing");
    let (page, stored) = (format!("/db/{key}"), format!("/db-isr/{key}"));
    for _ in 0..2 {
        c.get(&page).await?.is(404)?;
        c.get(&stored).await?.is(404)?;
    }
    let mut visitor = Visitor::new();
    write(&mut visitor, &c.http, &key, "here").await?.is(204)?;
    visitor.get(&c.http, &page).await?.shows("here")?;
    c.get(&stored).await?.shows("here")?;
    // An empty value is a value.
    write(&mut visitor, &c.http, &key, "").await?.is(204)?;
    visitor.get(&c.http, &page).await?.is(200)?;
    c.get(&stored).await?.is(200).map(drop)
}

async fn methods(c: Context) -> Outcome {
    let key = c.key("methods");
    write(&mut Visitor::new(), &c.http, &key, "kept").await?.is(204)?;
    for (path, allowed) in [("/db/", "GET"), ("/db-isr/", "GET"), ("/api/db/", "POST")] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if method == allowed {
                continue;
            }
            let request = Request::new(method, &format!("{path}{key}")).body("changed");
            let answer = c.http.send(&request).await?;
            let allow = answer.is(405)?.need("allow")?;
            that(allow.contains(allowed), format!("{method} {path}: Allow: {allow}"))?;
        }
    }
    c.get(&format!("/db-isr/{key}")).await?.shows("kept").map(drop)
}

async fn hostile_keys(c: Context) -> Outcome {
    let long = "k".repeat(300);
    let hostile = [
        "%27%3B%20drop%20table%20kv%3B%20--",
        "%22%5B$1%5D",
        "%25s%25n%25",
        "caf%C3%A9%E2%80%A8%F0%9F%8C%B6",
        "-",
        "null",
        "__proto__",
        "%7Bkey%7D",
        "a%2Bb+c",
        &long,
    ];
    let value = "'); drop table kv; -- <script>alert(\"1\")</script> \u{2028} é \\ % _ $1 ?";
    let mut visitor = Visitor::new();
    for (number, part) in hostile.into_iter().enumerate() {
        let key = format!("{part}{}", c.key("hostile"));
        let (page, stored) = (format!("/db/{key}"), format!("/db-isr/{key}"));
        c.get(&stored).await?.is(404)?;
        for round in 0..2 {
            let value = format!("{value} {number} {round}");
            write(&mut visitor, &c.http, &key, &value).await?.is(204)?;
            visitor.get(&c.http, &page).await?.shows(&value)?.hides(&["<script>alert"])?;
            c.get(&stored).await?.shows(&value)?.hides(&["<script>alert"])?;
        }
    }
    Ok(())
}

async fn refused(c: Context) -> Outcome {
    let key = c.key("refused");
    write(&mut Visitor::new(), &c.http, &key, "kept").await?.is(204)?;
    let api = format!("/api/db/{key}");
    let long = format!("/api/db/{}", "k".repeat(4096));
    for (path, body) in [(&api, b"a\0b".to_vec()), (&api, vec![0xff, 0xfe]), (&long, b"x".to_vec())] {
        c.http.send(&Request::new("POST", path).body(body)).await?.is(400)?;
    }
    c.http.send(&Request::new("POST", "/api/db/a%00b").body("x")).await?.is(400)?;
    let large = c.http.send(&Request::new("POST", &api).body(vec![b'x'; 3 << 20])).await;
    // Whoever is refused before the body has been read may lose the connection with it.
    that(large.is_err() || large.is_ok_and(|answer| answer.status == 413), "3 MiB were not refused")?;
    c.get(&format!("/db/{}", "k".repeat(4096))).await?.is(404)?;
    c.get(&format!("/db-isr/{key}")).await?.shows("kept").map(drop)
}

async fn other_sites(c: Context) -> Outcome {
    let key = c.key("foreign");
    write(&mut Visitor::new(), &c.http, &key, "kept").await?.is(204)?;
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        let request = Request::new("POST", &format!("/api/db/{key}")).with(name, value).body("forged");
        c.http.send(&request).await?.is(403)?;
    }
    c.get(&format!("/db-isr/{key}")).await?.shows("kept").map(drop)
}
