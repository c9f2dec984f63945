//! `dev` on a tiny application: the first page, edits, errors, restarts that nobody notices, and an end that leaves nothing.
//!
//! One test, since its steps build on each other, and compiling is what takes long. It compiles below the folder that this
//! command was compiled into, so that a second run finds the crates of others there; by itself, offline.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "it waits for other programs, in real time")]

#[path = "dev_parts/mod.rs"]
mod parts;

use parts::{App, Dev, Events, Visitor};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Write as _},
    time::{Duration, Instant},
};

/// The first build of all crates, on a machine that does other things as well.
const COLD: Duration = Duration::from_secs(1_200);
/// A build of the application alone.
const WARM: Duration = Duration::from_secs(120);

#[test]
fn a_tiny_application_is_developed() {
    let app = App::new();
    let dev = Dev::start(&app);
    let events = Events::follow(dev.port);
    let pages = dev.get("/", &[("accept", "text/html")]);
    assert!(pages.0 == 503 || pages.0 == 200, "a page that waits, or the page: {}", pages.0);
    events.wait("ready", COLD);

    shows_pages_with_the_client(&dev);
    serves_the_islands(&dev);
    tells_of_styles_without_a_build(&app, &dev, &events);
    shows_an_edit_while_nobody_is_refused(&app, &dev, &events);
    shows_what_does_not_compile_and_that_it_is_mended(&app, &dev, &events);
    gives_a_build_up_for_the_next_edit(&app, &dev, &events);
    shows_what_is_wrong_with_the_configuration(&app, &dev, &events);
    refuses_other_sites(&dev);
    ends_with_all_it_started(&app, dev);
    ends_with_a_build_that_is_under_way(&app);
    leaves_nothing_when_it_is_killed(&app);
}

fn number(dev: &Dev) -> String {
    let (status, text) = dev.get("/", &[("accept", "text/html")]);
    assert_eq!(status, 200, "{text}");
    let (_, rest) = text.split_once("id=\"number\">").unwrap();
    rest.split('<').next().unwrap().to_owned()
}

fn shows_pages_with_the_client(dev: &Dev) {
    assert_eq!(number(dev), "1");
    let (_, text) = dev.get("/", &[("accept", "text/html")]);
    assert!(text.contains("src=\"/_tropos/dev/client.js?v="), "{text}");
    assert!(!dev.get("/", &[]).1.contains("_tropos/dev"), "a program gets the page as it is");
    assert!(
        text.contains("<!--hot-reload|src-pages.rs-"),
        "views are marked, so that they can be patched: {text}"
    );
}

fn serves_the_islands(dev: &Dev) {
    let (_, text) = dev.get("/", &[]);
    let (_, rest) = text.split_once("data-wasm=\"").expect("the page names the module");
    let wasm = rest.split('"').next().unwrap();
    let (status, bytes) = dev.get_bytes(wasm, &[]);
    assert_eq!((status, bytes.get(..4)), (200, Some(&b"\0asm"[..])), "{wasm}");
}

fn tells_of_styles_without_a_build(app: &App, dev: &Dev, events: &Events) {
    let mark = events.mark();
    app.write("public/style.css", "p { margin: 1px }");
    let start = Instant::now();
    let event = events.wait_after(mark, "styles", WARM);
    println!("a style sheet was told of after {:?}", start.elapsed());
    assert_eq!(event["files"], serde_json::json!(["/style.css"]));
    assert_eq!(dev.get("/style.css", &[]).1, "p { margin: 1px }");
    std::thread::sleep(Duration::from_millis(300));
    assert!(!events.since(mark).iter().any(|event| event["kind"] == "building"));
}

fn shows_an_edit_while_nobody_is_refused(app: &App, dev: &Dev, events: &Events) {
    let visitor = Visitor::begin(dev.port);
    let mut stream = dev.live_stream();
    for (from, to) in [("1", "2"), ("2", "3"), ("3", "4")] {
        let mark = events.mark();
        let start = Instant::now();
        app.edit("src/pages.rs", &format!("    {from}\n"), &format!("    {to}\n"));
        let ready = events.wait_after(mark, "ready", WARM);
        println!("an edit of Rust was there after {:?}", start.elapsed());
        assert_eq!(ready["reload"], true);
        assert_eq!(number(dev), to);
    }
    // The process that began the stream is gone; the next one goes on with it, in the same connection.
    let mut line = String::new();
    while !line.contains('4') || !line.starts_with("data:") {
        line.clear();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the stream ended");
    }
    let (answers, refused) = visitor.end();
    assert!(answers > 40, "{answers}");
    assert_eq!(refused, Vec::<String>::new(), "of {answers}");
}

fn shows_what_does_not_compile_and_that_it_is_mended(app: &App, dev: &Dev, events: &Events) {
    let mark = events.mark();
    app.edit("src/pages.rs", "    4\n", "    nonsense\n");
    let errors = events.wait_after(mark, "errors", WARM);
    let error = &errors["errors"][0];
    assert_eq!(error["source"], "compile");
    assert!(error["title"].as_str().unwrap().contains("cannot find value `nonsense`"), "{error}");
    assert_eq!((&error["file"], &error["line"]), (&"src/pages.rs".into(), &7.into()), "{error}");
    assert_eq!(number(dev), "4", "the process before goes on");
    // Who comes later is told as well.
    Events::follow(dev.port).wait("errors", WARM);
    let mark = events.mark();
    app.edit("src/pages.rs", "    nonsense\n", "    5\n");
    events.wait_after(mark, "ready", WARM);
    assert_eq!(number(dev), "5");
    assert!(dev.printed().contains("cannot find value `nonsense`"), "the terminal has it too");
}

fn gives_a_build_up_for_the_next_edit(app: &App, dev: &Dev, events: &Events) {
    let mark = events.mark();
    app.edit("src/pages.rs", "    5\n", "    6\n");
    events.wait_after(mark, "building", WARM);
    app.edit("src/pages.rs", "    6\n", "    7\n");
    events.wait_after(mark, "ready", WARM);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(number(dev), "7");
    let ready = events.since(mark).iter().filter(|event| event["kind"] == "ready").count();
    assert_eq!(ready, 1, "the first of the two was given up");
}

fn shows_what_is_wrong_with_the_configuration(app: &App, dev: &Dev, events: &Events) {
    let mark = events.mark();
    app.write("tropos.toml", "adr = 1\n");
    let errors = events.wait_after(mark, "errors", WARM);
    let error = &errors["errors"][0];
    assert_eq!((&error["source"], &error["file"]), (&"config".into(), &"tropos.toml".into()), "{error}");
    assert_eq!(number(dev), "7");
    let mark = events.mark();
    app.write("tropos.toml", "log = \"warn\"\n");
    events.wait_after(mark, "ready", WARM);
    let compiled = |event: &Value| event["kind"] == "building";
    assert!(!events.since(mark).iter().any(compiled), "a configuration needs no compiler");
}

fn refuses_other_sites(dev: &Dev) {
    let foreign = [("origin", "http://elsewhere.example")];
    assert_eq!(dev.get("/_tropos/dev/events", &foreign).0, 403);
    assert_eq!(dev.get("/_tropos/dev/client.js", &foreign).0, 403);
    assert_eq!(dev.get("/_tropos/dev/app/renders", &[("host", "rebound.example")]).0, 421);
    assert_eq!(dev.get("/", &[("host", "rebound.example")]).0, 421);
}

fn ends_with_all_it_started(app: &App, dev: Dev) {
    assert!(!app.processes().is_empty());
    dev.signal("TERM");
    dev.wait();
    app.assert_no_process_is_left();
}

fn ends_with_a_build_that_is_under_way(app: &App) {
    let dev = Dev::start(app);
    let events = Events::follow(dev.port);
    events.wait("ready", WARM);
    let mark = events.mark();
    app.edit("src/pages.rs", "    7\n", "    8\n");
    events.wait_after(mark, "building", WARM);
    dev.signal("INT");
    dev.wait();
    // A compiler that was left to itself would be at it for longer.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(app.processes(), Vec::<String>::new());
}

fn leaves_nothing_when_it_is_killed(app: &App) {
    let dev = Dev::start(app);
    Events::follow(dev.port).wait("ready", WARM);
    assert!(!app.processes().is_empty());
    dev.signal("KILL");
    dev.wait();
    app.assert_no_process_is_left();
}

impl Dev {
    /// The stream of the live page, as a browser opens it.
    fn live_stream(&self) -> BufReader<std::net::TcpStream> {
        let (_, page) = self.get("/now", &[]);
        let (_, rest) = page.split_once("data-live=\"").unwrap();
        let path = rest.split('"').next().unwrap().replace("&amp;", "&");
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(WARM)).unwrap();
        let asked = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n");
        stream.write_all(asked.as_bytes()).unwrap();
        BufReader::new(stream)
    }
}
