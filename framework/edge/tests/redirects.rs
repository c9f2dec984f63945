//! Tables of redirects and rewrites.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Asked, outcome};
use tropos_core::CanonicalPath;
use tropos_edge::{
    Hook, Hooks,
    ready::redirects::{Redirects, Rule},
    run::Outcome,
};

/// `status location`, `path?query` of a rewrite, or `-`.
fn came_of(hooks: &Hooks, host: &str, target: &str) -> String {
    let mut asked = Asked::get(target);
    asked.host = host.into();
    match outcome(hooks, &asked) {
        Outcome::Pass(passed) => {
            assert!(!passed.personal);
            let query = passed.query.map(|query| format!("?{query}")).unwrap_or_default();
            passed.path.map_or("-".to_owned(), |path| format!("{}{query}", path.as_str()))
        }
        Outcome::Answer(answer) => {
            let headers: http::HeaderMap = answer.reply.headers().iter().cloned().collect();
            let location = headers.get("location").map_or("", |location| location.to_str().unwrap());
            format!("{} {location}", answer.reply.status().as_u16())
        }
    }
}

fn rules() -> Vec<Rule> {
    vec![
        Rule::new("/a", "/b"),
        Rule::new("/for-ever", "/b").permanent(),
        Rule::new("/found", "/b").status(302),
        Rule::new("/caf%C3%A9", "/coffee"),
        Rule::new("/old/:id", "/new/:id").permanent(),
        Rule::new("/old/best", "/best"),
        Rule::new("/old/:id/:part", "/new/:part?id=:id&x=y#:top"),
        Rule::new("/files/*rest", "https://files.example:8443/v1/*rest"),
        Rule::new("/out", "https://other.example?x=y#z"),
        Rule::new("/bare", "/b").without_query(),
        Rule::new("/shown/:id", "/pages/:id").rewrite(),
        Rule::new("/shown-bare", "/pages/1").rewrite().without_query(),
        Rule::new("/shown-own", "/pages/1?k=v").rewrite(),
        Rule::new("/where", "/shop").on_host("shop.example"),
        Rule::new("/where", "/else"),
        Rule::new("/where", "/below").on_host("*.shop.example"),
        Rule::new("/slash", "/b/"),
    ]
}

#[test]
fn a_table_is_followed() {
    let table = Redirects::new(rules());
    assert_eq!(table.check(), Ok(()));
    assert_eq!(table.notes(), [] as [String; 0]);
    let hooks = Hooks::new().hook(table);
    for (target, expected) in [
        ("/", "-"),
        ("/a", "307 /b"),
        ("/a/", "307 /b"),
        ("/%61", "307 /b"),
        ("/A", "-"),
        ("/a/x", "-"),
        ("/a?q=1&r", "307 /b?q=1&r"),
        ("/for-ever", "308 /b"),
        ("/found", "302 /b"),
        ("/caf%C3%A9", "307 /coffee"),
        ("/café", "307 /coffee"),
        ("/old/7", "308 /new/7"),
        ("/old/7/", "308 /new/7"),
        ("/old/7?q", "308 /new/7?q"),
        ("/old/a%20b%3Fc", "308 /new/a%20b%3Fc"),
        ("/old/best", "307 /best"),
        ("/old/1/2", "307 /new/2?id=1&x=y#:top"),
        ("/old/a%26b=%25/2?q=r", "307 /new/2?id=a%26b%3D%25&x=y&q=r#:top"),
        ("/old", "-"),
        ("/files/x/y%20z", "307 https://files.example:8443/v1/x/y%20z"),
        ("/files", "-"),
        ("/out", "307 https://other.example?x=y#z"),
        ("/out?q", "307 https://other.example?x=y&q#z"),
        ("/bare?q", "307 /b"),
        ("/a?x=\u{e9}", "307 /b"),
        ("/shown/7?q=r", "/pages/7"),
        ("/shown-bare?q=r", "/pages/1?"),
        ("/shown-own?q=r", "/pages/1?k=v&q=r"),
        ("/slash", "307 /b/"),
    ] {
        assert_eq!(came_of(&hooks, "shop.example", target), expected, "{target}");
    }
    for (host, expected) in [
        ("shop.example", "307 /shop"),
        ("SHOP.example:8080", "307 /shop"),
        ("other.example", "307 /else"),
        ("de.shop.example", "307 /below"),
        ("de.sub.example", "307 /else"),
        ("evilshop.example", "307 /else"),
    ] {
        assert_eq!(came_of(&hooks, host, "/where"), expected, "{host}");
    }
}

#[test]
fn no_address_leads_to_a_site_that_no_rule_names() {
    let hooks = Hooks::new().hook(Redirects::new([
        Rule::new("/go/*rest", "/*rest"),
        Rule::new("/to/:a", "https://own.example/:a"),
    ]));
    for (target, expected) in [
        ("/go/evil.example", "307 /evil.example"),
        ("/go/https:/evil.example", "307 /https:/evil.example"),
        ("/go/%09evil", ""),
        ("/go/@evil.example", "307 /@evil.example"),
        ("/to/@evil.example", "307 https://own.example/@evil.example"),
        ("/to/.evil.example", "307 https://own.example/.evil.example"),
        ("/go//evil.example", ""),
        ("/go/%2Fevil.example", ""),
        ("/go/%5Cevil.example", ""),
        ("/to/a%0d%0ax", ""),
    ] {
        match CanonicalPath::parse(target) {
            Ok(_) => assert_eq!(came_of(&hooks, "shop.example", target), expected, "{target}"),
            Err(_) => assert_eq!(expected, "", "{target} is refused before any hook"),
        }
    }
}

#[test]
fn the_address_that_is_shown_may_be_one_that_others_are_sent_from() {
    let table = Redirects::new([
        Rule::new("/old", "/new").permanent(),
        Rule::new("/new", "/old").rewrite(),
        Rule::new("/one", "/two").rewrite(),
        Rule::new("/two", "/three").rewrite(),
    ]);
    assert_eq!(table.check(), Ok(()));
    let hooks = Hooks::new().hook(table);
    assert_eq!(came_of(&hooks, "h", "/old"), "308 /new");
    assert_eq!(came_of(&hooks, "h", "/new"), "/old");
    assert_eq!(came_of(&hooks, "h", "/one"), "/three");
}

#[test]
fn circles_are_refused_with_their_lines() {
    let www = "/*rest,https://www.shop.example/*rest,308,shop.example\n";
    for (text, problem) in [
        ("/a,/a\n", "line 1 (`/a`) leads to itself"),
        ("/a,/b\n\n/b,/a\n", "line 1 (`/a`), line 3 (`/b`) lead in circles"),
        ("/a,/b\n/b,/c\n/c,/b\n", "line 2 (`/b`), line 3 (`/c`) lead in circles"),
        ("/x/*rest,/x/y/*rest\n", "line 1 (`/x/*rest`) leads to itself"),
        ("/a/:id,/b/:id\n/b/:x,/a/:x\n", "line 1 (`/a/:id`), line 2 (`/b/:x`) lead in circles"),
        ("/a/:id,/b/:id\n/b/7,/a/7\n", "line 1 (`/a/:id`), line 2 (`/b/7`) lead in circles"),
        ("/a,/b,rewrite\n/b,/a,rewrite\n", "lead in circles"),
        (&format!("{www}/*rest,https://shop.example/*rest,308,www.shop.example\n"), "lead in circles"),
    ] {
        let error = Redirects::from_csv(text).unwrap().check().unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    for fine in [www, "/a,/b\n/b,/c,,other.example\n", "/x/:a,/x/:a/b\n", "/a,https://shop.example/a\n"] {
        assert_eq!(Redirects::from_csv(fine).unwrap().check(), Ok(()), "{fine}");
    }
}

#[test]
fn chains_become_one_step_with_a_note() {
    let table = Redirects::from_csv(
        "/a,/b,308\n/b,/c,308\n/c,/d\n/p/:id,/q/x/:id,301\n/q/*rest,/r/*rest,308\n/e,/shown,308\n/shown,/hidden,rewrite\n/f,/bare\n/bare,/g?x=1\n/g,/h\n/w,https://www.shop.example/a,308\n/a,/z,308,www.shop.example\n",
    )
    .unwrap();
    assert_eq!(table.check(), Ok(()));
    let notes = table.notes().join("\n");
    assert!(
        notes.contains(
            "line 1 (`/a`) leads on by line 2 (`/b`), line 3 (`/c`): visitors are sent to `/d` at once"
        ),
        "{notes}"
    );
    assert_eq!(table.notes().len(), 4, "{notes}");
    let hooks = Hooks::new().hook(table);
    for (target, expected) in [
        ("/a?q", "307 /d?q"),
        ("/b", "307 /d"),
        ("/c", "307 /d"),
        ("/p/7", "301 /r/x/7"),
        ("/e", "308 /shown"),
        ("/f", "307 /bare"),
        ("/bare", "307 /g?x=1"),
        ("/w", "308 https://www.shop.example/z"),
    ] {
        assert_eq!(came_of(&hooks, "shop.example", target), expected, "{target}");
    }
}

#[test]
fn what_is_there_twice_or_cannot_be_is_named_with_its_line() {
    for (text, problem) in [
        ("/a,/b\n/a,/c\n", "line 1 (`/a`) and line 2 (`/a`) are for the same addresses"),
        ("/a/:x,/b\n/c,/d\n/a/:y,/c\n", "line 1 (`/a/:x`) and line 3 (`/a/:y`) are for the same addresses"),
        ("/a,/b,308,h.example\n/a,/c,308,H.example\n", "line 1 (`h.example/a`) and line 2 (`h.example/a`)"),
        ("/caf%C3%A9,/b\n/café,/c\n", "are for the same addresses"),
        ("a,/b\n", "the path does not begin with a slash"),
        ("/a/:,/b\n", "line 1 (`/a/:`)"),
        ("/a?b=c,/b\n", "leave out what is behind `?`"),
        ("/a/../b,/b\n", "has a dot segment"),
        ("/a,/b,308,*.x.example\n/%61,/c,308,*.x.example\n", "are for the same addresses"),
        ("/a//b,/b\n", "line 1 (`/a//b`)"),
        ("/a/*x/b,/b\n", "goes on behind a catch-all"),
        ("/a,b\n", "leads to `b`"),
        ("/a,//evil.example\n", "leads to `//evil.example`"),
        ("/a,/\\evil.example\n", "leads to"),
        ("/a,javascript:alert(1)\n", "leads to"),
        ("/a,/b c\n", "leads to `/b c`"),
        ("/a,https://:id.example/\n", "leads to"),
        ("/a/:id,/b/:other\n", "uses `other` in `/b/:other`, which is no parameter"),
        ("/a,/b,200\n", "has the status 200"),
        ("/a,/b,404\n", "has the status 404"),
        ("/a,https://x.example/,rewrite\n", "write a path of this site"),
        ("/a,/b#c,rewrite\n", "write a path of this site"),
        ("/a,/b,308,h.example:80\n", "is no host"),
        ("/a,/b,308,*\n", "is no host"),
    ] {
        let error = Redirects::from_csv(text).unwrap().check().unwrap_err().to_string();
        assert!(error.contains(problem), "{text}: {error}");
    }
}

#[test]
fn the_formats_say_the_same() {
    let csv = "\u{feff}from,to,status,host\n# moved\n/a,/b,308\n\n\"/c\",\"/d\",,h.example\n/e,/f,rewrite\n\"/g\",\"/h?x=\"\"1\"\"\",302,\n";
    let json = r#"[
        {"from": "/a", "to": "/b", "permanent": true},
        {"from": "/c", "to": "/d", "host": "h.example"},
        {"from": "/e", "to": "/f", "rewrite": true},
        {"from": "/g", "to": "/h?x=\"1\"", "status": 302}
    ]"#;
    #[cfg_attr(not(feature = "toml"), expect(unused_mut, reason = "TOML is by choice"))]
    let mut tables = vec![Redirects::from_csv(csv).unwrap(), Redirects::from_json(json).unwrap()];
    #[cfg(feature = "toml")]
    {
        let toml = "[[redirect]]\nfrom = \"/a\"\nto = \"/b\"\npermanent = true\n[[redirect]]\nfrom = \"/c\"\nto = \"/d\"\nhost = \"h.example\"\n[[redirect]]\nfrom = \"/e\"\nto = \"/f\"\nrewrite = true\n[[redirect]]\nfrom = \"/g\"\nto = '/h?x=\"1\"'\nstatus = 302\n";
        tables.push(Redirects::from_toml(toml).unwrap());
    }
    for table in tables {
        assert_eq!((table.len(), table.check()), (4, Ok(())));
        let hooks = Hooks::new().hook(table);
        for (host, target, expected) in [
            ("x", "/a", "308 /b"),
            ("h.example", "/c", "307 /d"),
            ("x", "/c", "-"),
            ("x", "/e", "/f"),
            ("x", "/g", "302 /h?x=\"1\""),
        ] {
            assert_eq!(came_of(&hooks, host, target), expected, "{target}");
        }
    }
    assert!(Redirects::from_json(" [ ] ").unwrap().is_empty());
    assert!(Redirects::from_csv("").unwrap().is_empty());
}

#[test]
fn what_cannot_be_read_is_named_with_its_line() {
    for (text, problem) in [
        ("/a\n", "line 1: write `from,to`"),
        ("/a,/b\n/c,\n", "line 2: write `from,to`"),
        ("/a,/b,308,h,x\n", "line 1 has 5 fields"),
        ("/a,/b,for ever\n", "`for ever` is no status"),
        ("\"/a,/b\n", "a quote is not closed"),
        ("\"/a\"x,/b\n", "a quote is not closed, or something stands behind it"),
    ] {
        let error = Redirects::from_csv(text).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    for (text, problem) in [
        ("", "no JSON array"),
        ("{}", "no JSON array"),
        ("[", "line 1: here must be"),
        ("[\n{\"from\": \"/a\"}]", "line 2: missing field `to`"),
        ("[\n{\"from\": \"/a\", \"to\": \"/b\"}\n\n{\"from\"", "line 4: here must be"),
        (
            "[{\"from\": \"/a\", \"to\": \"/b\"},\n{\"from\": \"/a\", \"to\": \"/b\", \"x\": 1}]",
            "line 2: unknown field `x`",
        ),
        (
            "[{\"from\": \"/a\", \"to\": \"/b\", \"status\": 308, \"permanent\": true}]",
            "line 1: write one of",
        ),
        ("[{\"from\": \"/a\", \"to\": \"/b\"}] x", "here must be"),
    ] {
        let error = Redirects::from_json(text).unwrap_err().to_string();
        assert!(error.contains(problem), "{text}: {error}");
    }
    #[cfg(feature = "toml")]
    for (text, problem) in [
        ("[[redirect]]\nfrom = \"/a\"\n", "missing field `to`"),
        ("[[redirects]]\n", "unknown field"),
        ("\n[[redirect]]\nfrom=\"/a\"\nto=\"/b\"\nstatus=308\nrewrite=true\n", "line 2: write one of"),
    ] {
        let error = Redirects::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(problem), "{text}: {error}");
    }
}

/// Run by hand: `cargo test -p tropos-edge --release --test redirects -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn ten_thousand_rules_cost_a_look_up() {
    for many in [10, 10_000, 100_000] {
        let begun = std::time::Instant::now();
        let table =
            Redirects::new((0..many).map(|at| Rule::new(&format!("/old/{at}"), &format!("/new/{at}"))));
        let built = begun.elapsed();
        let hooks = Hooks::new().hook(table);
        let (hit, miss) = (Asked::get("/old/7"), Asked::get("/products/7"));
        for (name, asked) in [("hit", hit), ("miss", miss)] {
            let begun = std::time::Instant::now();
            (0..100_000).for_each(|_| drop(outcome(&hooks, &asked)));
            println!("{many} rules, built in {built:?}: {name} {:?}", begun.elapsed() / 100_000);
        }
    }
}
