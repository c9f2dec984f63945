//! What every command prints, good and bad. `TRYCMD=overwrite cargo test -p cargo-tropos --test commands` writes it anew.
//!
//! | folder | is |
//! |---|---|
//! | `none.in` | no application |
//! | `unbuilt.in` | one that is not built, and locked to another wasm-bindgen |
//! | `built.in` | one whose program is a script |
//! | `several.in` | a workspace of two applications, and a package that is none |
//! | `deploy.in`, `deploy.out` | one before and after `deploy` |
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(unix)]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
};

/// What an admin listener says: of `/isr/a`, of any other path, and which routes there are.
const KNOWN: &str = r#"{"asked":"/isr/a","route":{"name":"Isr","pattern":"/isr/:key","mode":"isr","revalidate":"2s","expire":"10s","closed":false,"source":"src/pages.rs:23"},"query":null,"key":"page /isr/:key /isr/a","tags":["isr","isr-a"],"sequence":5,"entry":null,"verdict":{"answer":"refused","status":404,"why":"no-route","detail":null},"cache_status":null,"last_unstored":null}"#;
const UNKNOWN: &str = r#"{"asked":"/prodcuts/1","route":null,"query":null,"key":null,"tags":[],"sequence":5,"entry":null,"verdict":{"answer":"refused","status":404,"why":"no-route","detail":null},"cache_status":null,"last_unstored":null}"#;
const ROUTES: &str = r#"[{"name":"Product","pattern":"/products/:id","mode":"isr","revalidate":null,"expire":null,"tags":[],"closed":false}]"#;

/// An admin listener that answers for as long as the test runs; returns its address.
fn admin() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let first = lines.next().unwrap_or_default();
            // To the empty line that ends the head.
            lines.find(String::is_empty);
            let body = match first.split(' ').nth(1).unwrap_or_default() {
                "/routes" => ROUTES,
                path if path.contains("isr") => KNOWN,
                _ => UNKNOWN,
            };
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    address
}

#[test]
fn every_command_prints_what_is_written_down() {
    let admin = admin();
    let cases = trycmd::TestCases::new();
    cases.insert_var("[ADMIN]", admin.clone()).unwrap();
    cases
        .env("TROPOS_ADMIN_ADDR", admin)
        // Whoever runs the tests may have these set.
        .env("NO_COLOR", "")
        .env("CARGO_NET_OFFLINE", "true")
        .env("TROPOS_REVALIDATE_TOKEN", "")
        .env("TROPOS_WASM_OPT", "/nonexistent/wasm-opt")
        .case("tests/cmd/*.trycmd");
}
