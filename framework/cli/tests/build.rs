//! `build` and `export` on a tiny application: what is skipped, what fails and how, and whether the plain files work.
//!
//! One test, since its steps build on each other, and compiling is what takes long. It compiles into the folder that this
//! command was compiled into, where the crates of others lie ready; by itself, offline.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod parts;

use parts::{App, Host};
use serde_json::Value;
use std::fs;

#[test]
fn a_tiny_application_is_built_held_to_its_budgets_and_exported() {
    let app = App::new();
    builds(&app);
    skips_what_has_not_changed(&app);
    shows_what_grew(&app);
    names_what_failed(&app);
    holds_budgets(&app);
    refuses_a_place_where_nothing_can_be_written(&app);
    exports(&app);
    says_which_routes_are_not_static(&app);
    reports_links_that_lead_nowhere(&app);
}

fn builds(app: &App) {
    let run = app.run(&["start"]);
    assert!(!run.ok && run.stderr.contains("run `cargo tropos build` first"), "{run:?}");
    let built = app.run(&["build", "--debug", "--json"]).json();
    assert_eq!(built["ok"], true, "{built}");
    assert_eq!(built["profile"], "dev");
    assert!(built["islands"]["wasm_bytes"].as_u64().unwrap() > 1_000, "{built}");
    let item = route(&built, "/items/:name");
    assert_eq!((&item["pages"], &item["mode"]), (&2.into(), &"ssg".into()));
    assert_eq!(item["grown"], Value::Null, "there was no build before");
}

fn skips_what_has_not_changed(app: &App) {
    let first: Value = serde_json::from_slice(&app.dist("manifest.json")).unwrap();
    let built = app.run(&["build", "--debug", "--json"]).json();
    let skipped: Vec<_> = built["skipped"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(
        skipped,
        [
            "compiling the islands",
            "binding and optimising the wasm",
            "compiling the server",
            "compressing 3 of 3 files"
        ]
    );
    assert!(built["seconds"]["wasm"].is_null(), "nothing was bound: {built}");
    let second: Value = serde_json::from_slice(&app.dist("manifest.json")).unwrap();
    assert_eq!(first, second);
    // A stylesheet alone is compressed anew, and nothing is compiled.
    app.write("public/style.css", &"p { margin: 1px; }\n".repeat(40));
    let text = app.run(&["build", "--debug"]);
    assert!(text.ok && text.stdout.contains("compressing 2 of 3 files"), "{text:?}");
    assert!(text.stdout.contains("unchanged, so skipped: compiling the islands, "), "{text:?}");
}

fn shows_what_grew(app: &App) {
    app.write("data/two", &"x".repeat(1_000));
    let run = app.run(&["build", "--debug"]);
    let line = run.stdout.lines().find(|line| line.contains("/items/:name")).unwrap();
    assert!(run.stdout.contains("since the last build") && line.contains("  HTML +"), "{run:?}");
    app.write("data/two", "/items/one");
    let built = app.run(&["build", "--debug", "--json"]).json();
    assert!(route(&built, "/items/:name")["grown"]["html_bytes"].as_i64().unwrap() < -1_900, "{built}");
    assert_eq!(route(&built, "/")["grown"]["html_bytes"], 0);
}

fn names_what_failed(app: &App) {
    let before = app.everything();
    app.write("data/three", "broken");
    app.write("data/two", "broken");
    let run = app.run(&["build", "--debug"]);
    assert!(!run.ok && run.stderr.contains("1 page could not be made, so "), "{run:?}");
    assert!(run.stderr.contains(" (route /items/:name, name = t"), "{run:?}");
    assert!(run.stderr.contains("is broken") && run.stderr.contains("--keep-going"), "{run:?}");

    let failed = app.run(&["build", "--debug", "--json", "--keep-going"]);
    assert!(!failed.ok);
    let value = failed.value();
    let pages = value["pages"].as_array().unwrap();
    let mut paths: Vec<_> = pages.iter().map(|page| page["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!((&value["ok"], paths), (&false.into(), vec!["/items/three", "/items/two"]));
    assert!(pages.iter().all(|page| page["cause"].as_str().unwrap().contains("is broken")), "{value}");

    // A list that fails is a failure like any other, and no reason to leave out the rest.
    fs::rename(app.path("data"), app.path("away")).unwrap();
    let value = app.run(&["build", "--debug", "--json", "--keep-going"]).value();
    fs::rename(app.path("away"), app.path("data")).unwrap();
    let pages = value["pages"].as_array().unwrap();
    let list = pages.iter().find(|page| page["path"] == "/items/:name").unwrap();
    assert!(list["cause"].as_str().unwrap().contains("its `prerender` function failed"), "{value}");
    assert!(list["params"].as_object().unwrap().is_empty(), "{value}");
    assert!(pages.iter().any(|page| page["path"] == "/"), "{value}");
    assert_eq!(app.everything(), before, "a build that fails leaves the one before, and nothing beside it");
    fs::remove_file(app.path("data/three")).unwrap();
    app.write("data/two", "/items/one");
}

fn holds_budgets(app: &App) {
    let before = app.everything();
    app.write("tropos.toml", "[budgets]\nhmtl = \"1 kB\"\n");
    let run = app.run(&["build", "--debug"]);
    assert!(!run.ok && run.stderr.contains("unknown key `hmtl` in budgets; did you mean `html`?"), "{run:?}");

    app.write("tropos.toml", "[budgets]\nhtml = \"1 MB\"\n[budgets.routes.\"/\"]\nwasm = \"1 kB\"\n");
    let run = app.run(&["build", "--debug"]);
    assert!(!run.ok && run.stderr.contains("exceeds a budget of tropos.toml"), "{run:?}");
    assert!(
        run.stderr.contains("/: wasm is ") && run.stderr.contains(" over its budget of 1.0 kB"),
        "{run:?}"
    );
    assert_eq!(app.everything(), before);

    app.write("tropos.toml", "[budgets]\nhtml = \"1 MB\"\nstyle = \"1 kB\"\n");
    let built = app.run(&["build", "--debug", "--json"]).json();
    let budgets = built["budgets"].as_array().unwrap();
    let home = budgets.iter().find(|it| it["route"] == "/" && it["part"] == "style").unwrap();
    assert!(home["bytes"].as_u64().unwrap() > 10 && home["limit"] == 1_000, "{home}");
    // The program reads the same file, and takes the table for no unknown key.
    let routes = app.run(&["routes", "--json"]).json();
    assert_eq!(routes.as_array().unwrap().len(), 4);
    fs::remove_file(app.path("tropos.toml")).unwrap();
}

fn refuses_a_place_where_nothing_can_be_written(app: &App) {
    let before = app.everything();
    let out = app.path("Cargo.toml/dist");
    let run = app.run(&["build", "--debug", "--out", out.to_str().unwrap()]);
    assert!(!run.ok && run.stderr.contains("error: making "), "{run:?}");
    assert!(!run.stderr.contains("compiling"), "it is said before anything is compiled: {run:?}");
    let run = app.run(&["build", "--debug", "--out", app.path("src").to_str().unwrap()]);
    assert!(!run.ok && run.stderr.contains("did not put there"), "{run:?}");
    assert_eq!(app.everything(), before);
}

fn exports(app: &App) {
    let to = app.path("export");
    let exported = app.run(&["export", "--debug", "--json"]).json();
    assert_eq!((&exported["pages"], &exported["redirects"]), (&4.into(), &1.into()), "{exported}");
    let host = Host::serve(&to);
    for (path, text) in [
        ("/", "items/one"),
        ("/items/one", "id=\"text\""),
        ("/items/two/", "id=\"text\""),
        ("/v1.0/news", "news"),
        ("/old", "content=\"0; url=/items/one\""),
        ("/robots.txt", "User-agent"),
    ] {
        let (status, body) = host.get(path);
        assert!(status == 200 && body.contains(text), "{path}: {status} {body}");
    }
    let (status, body) = host.get("/nothing/here");
    assert!(status == 404 && body.contains("Not found"), "{status} {body}");
    // Everything that the page with the island names is there: the loader, its script and its wasm.
    let (_, home) = host.get("/");
    let named: Vec<_> = home.split(['"', '\'']).filter(|part| part.starts_with("/_tropos/")).collect();
    for kind in ["tropos-islands.", "app.", ".wasm", "style."] {
        assert!(named.iter().any(|file| file.contains(kind)), "{kind} in {named:?}");
    }
    for file in named {
        assert_eq!(host.get(file).0, 200, "{file}");
    }
    let headers = fs::read_to_string(to.join("_headers")).unwrap();
    assert!(headers.starts_with("/_tropos/assets/*\n  Cache-Control: public, max-age=31536000, immutable"));
    // Again into the same place, and never into another's.
    assert!(app.run(&["export", "--debug"]).ok);
    let run = app.run(&["export", "--debug", "--to", app.path("src").to_str().unwrap()]);
    assert!(!run.ok && run.stderr.contains("another place by --to"), "{run:?}");
}

fn says_which_routes_are_not_static(app: &App) {
    let marker = fs::read(app.path("export/.tropos-export")).unwrap();
    app.write("data/.now", "");
    let run = app.run(&["export", "--debug"]);
    assert!(!run.ok && run.stderr.contains("1 route cannot be plain files"), "{run:?}");
    let line = run.stdout.lines().find(|line| line.contains("/now")).unwrap();
    assert!(line.contains("server") && line.contains("made for each request"), "{line}");
    let failed = app.run(&["export", "--debug", "--json"]).value();
    assert_eq!((&failed["ok"], &failed["left_out"][0]["pattern"]), (&false.into(), &"/now".into()));
    let partial = app.run(&["export", "--debug", "--partial", "--json"]).json();
    assert_eq!(partial["left_out"][0]["pattern"], "/now");
    fs::remove_file(app.path("data/.now")).unwrap();
    assert_eq!(fs::read(app.path("export/.tropos-export")).unwrap(), marker);
}

fn reports_links_that_lead_nowhere(app: &App) {
    app.write("data/two", "/items/gone");
    let run = app.run(&["export", "--debug"]);
    assert!(!run.ok && run.stderr.contains("/items/two/: href=\"/items/gone\" leads nowhere"), "{run:?}");
    assert!(run.stderr.contains("nothing was exported: 1 link on the pages"), "{run:?}");
    app.write("data/two", "/items/one");
}

fn route<'a>(built: &'a Value, pattern: &str) -> &'a Value {
    let routes = built["routes"].as_array().unwrap();
    routes.iter().find(|route| route["pattern"] == pattern).unwrap()
}
