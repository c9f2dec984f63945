//! Languages: what a header asks for, and what comes of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Asked, outcome, pass};
use http::HeaderMap;
use proptest::prelude::*;
use tropos_edge::{
    Hook, Hooks,
    ready::locale::{LONGEST_ACCEPT, Locales, MOST_RANGES, ranges, wanted},
    run::Outcome,
};

tropos_edge::variant! { enum Language: "language" { En = "en", De = "de", PtBr = "pt-BR" } }
tropos_edge::variant! { enum Odd: "odd" { A = "a_b", B = "b" } }

#[test]
fn a_header_is_read_by_its_weights() {
    for (header, expected) in [
        ("de", "de=1000"),
        ("en-GB, en;q=0.9 , de ; q=0.8", "en-GB=1000 en=900 de=800"),
        ("de;q=0.5,en;q=0.7,fr", "fr=1000 en=700 de=500"),
        ("de,en", "de=1000 en=1000"),
        ("*;q=0.1, de;q=1.000", "de=1000 *=100"),
        ("de;q=0.123,en;Q=0", "de=123 en=0"),
        ("de;q=1.5,fr;q=0.1234,es;q=-1,it;q=.5,en;q=,pl;v=1,nl", "nl=1000"),
        ("toolonglanguage, d3, -de, de-, 中, ,,de_AT,x", "x=1000"),
        ("", ""),
        (",;,=", ""),
    ] {
        let read =
            ranges(header).iter().map(|r| format!("{}={}", r.text, r.weight)).collect::<Vec<_>>().join(" ");
        assert_eq!(read, expected, "{header}");
    }
}

#[test]
fn a_header_asks_for_a_language_of_the_site() {
    let site = ["en", "de", "pt-BR", "zh-Hant", "zh-Hans-CN"];
    for (header, expected) in [
        ("de-AT, en", Some("de")),
        ("DE", Some("de")),
        ("fr, de;q=0.5", Some("de")),
        ("en;q=0.5, de;q=0.6", Some("de")),
        ("pt", Some("pt-BR")),
        ("pt-PT", None),
        ("pt-br", Some("pt-BR")),
        ("zh-Hant-TW-x-private", Some("zh-Hant")),
        ("zh", Some("zh-Hant")),
        ("zh-Hans", Some("zh-Hans-CN")),
        ("de-x-bavarian", Some("de")),
        ("*", None),
        ("*, de;q=0.1", Some("de")),
        ("fr", None),
        ("de;q=0", None),
        ("de-AT, de;q=0", None),
        ("en;q=0, *", None),
        ("zh, zh-Hant;q=0", Some("zh-Hans-CN")),
        ("", None),
    ] {
        assert_eq!(wanted(header, &site).map(|at| site[at]), expected, "{header}");
    }
}

#[test]
fn a_header_is_read_within_bounds() {
    let many = (0..1000).map(|_| "fr").collect::<Vec<_>>().join(",");
    assert_eq!(ranges(&many).len(), MOST_RANGES);
    let long = format!("de,{},en", "x".repeat(LONGEST_ACCEPT));
    assert_eq!(ranges(&long).iter().map(|range| range.text).collect::<Vec<_>>(), ["de"]);
    let cut = format!("{:>width$}", "de,english", width = LONGEST_ACCEPT + 3);
    assert_eq!(ranges(&cut).len(), 1, "what the bound cuts in two is left out");
}

proptest! {
    #[test]
    fn no_header_breaks_it(header in "[a-zA-Z0-9*;q=., é-]{0,80}") {
        let site = ["en", "de-AT"];
        let found = wanted(&header, &site);
        prop_assert!(found.is_none_or(|at| at < site.len()));
        prop_assert!(ranges(&header).iter().all(|range| range.weight <= 1000));
    }
}

/// `location`, or `path language`, with `!` where caches outside may not decide, and `~` where `Vary` is set.
fn came_of(locales: Locales, asked: &Asked) -> String {
    let (mut headers, what, personal) = match outcome(&Hooks::new().hook(locales), asked) {
        Outcome::Answer(answer) => {
            let mut headers: HeaderMap = answer.reply.headers().iter().cloned().collect();
            answer.response.apply(&mut headers, true);
            assert_eq!(answer.reply.status(), 307);
            (headers.clone(), headers["location"].to_str().unwrap().to_owned(), true)
        }
        Outcome::Pass(passed) => {
            let mut headers = HeaderMap::new();
            passed.response.apply(&mut headers, true);
            let path = passed.path.as_ref().map_or("=", |path| path.as_str()).to_owned();
            let language = headers.get("content-language").map_or("-", |value| value.to_str().unwrap());
            let language = language.to_owned();
            (headers, format!("{path} {language}"), passed.personal)
        }
    };
    let vary = headers.remove("vary").map(|vary| vary.to_str().unwrap().to_owned());
    assert!(vary.as_deref().is_none_or(|vary| vary == "accept-language, cookie"));
    let (private, varies) = (if personal { "!" } else { "" }, if vary.is_some() { "~" } else { "" });
    format!("{what}{private}{varies}")
}

#[test]
fn the_path_goes_before_the_cookie_and_that_before_the_header() {
    let tags = ["en", "de", "pt-BR"];
    let redirect = || Locales::redirect(tags).cookie("lang");
    let rewrite = || Locales::rewrite(tags).cookie("lang");
    let plain = || Locales::redirect(tags).cookie("lang").plain_default();
    let plain_rewrite = || rewrite().plain_default();
    type Make<'m> = &'m dyn Fn() -> Locales;
    let cases: [(Make<'_>, &str, &str, &str, &str); 24] = [
        (&redirect, "/de/a", "lang=en", "en", "= de"),
        (&redirect, "/pt-BR", "", "", "= pt-BR"),
        (&redirect, "/a", "", "", "/en/a!~"),
        (&redirect, "/a?b=c", "", "de-AT", "/de/a?b=c!~"),
        (&redirect, "/", "", "de", "/de!~"),
        (&redirect, "/a", "lang=pt-br", "de", "/pt-BR/a!~"),
        (&redirect, "/a", "lang=xx", "de", "/de/a!~"),
        (&redirect, "/DE/a", "", "", "/en/DE/a!~"),
        (&redirect, "/den/a", "", "de", "/de/den/a!~"),
        (&redirect, "/api/f", "", "de", "= -"),
        (&redirect, "/_tropos/live/x", "", "de", "= -"),
        (&redirect, "/favicon.ico", "", "de", "= -"),
        (&rewrite, "/a", "", "de", "/de/a de!~"),
        (&rewrite, "/", "", "", "/en en!~"),
        (&rewrite, "/de/a", "", "en", "= de"),
        (&plain, "/a", "", "", "= en!~"),
        (&plain, "/a", "", "de", "/de/a!~"),
        (&plain, "/a", "lang=en", "de", "= en!~"),
        (&plain, "/de/a", "", "en", "= de"),
        (&plain_rewrite, "/a", "", "de", "/de/a de!~"),
        (&plain_rewrite, "/a", "", "fr", "= en!~"),
        (&Locales::variant::<Language>, "/a", "", "pt", "= pt-BR!~"),
        (&Locales::variant::<Language>, "/a", "locale=de", "pt", "= de!~"),
        (&Locales::variant::<Language>, "/robots.txt", "", "pt", "= -"),
    ];
    for (make, target, cookie, accept, expected) in cases {
        let asked = Asked::get(target).header("cookie", cookie).header("accept-language", accept);
        assert_eq!(came_of(make(), &asked), expected, "{target} {cookie} {accept}");
    }
}

#[test]
fn a_variant_is_chosen_and_nothing_that_writes_is_sent_elsewhere() {
    let asked = Asked::get("/a").header("accept-language", "de");
    let passed = pass(&Hooks::new().hook(Locales::variant::<Language>()), &asked);
    assert_eq!(passed.variants.get::<Language>(), Some(Language::De));
    assert!(passed.context.contains(&("locale".into(), "\"de\"".to_owned())));
    let mut post = asked.clone();
    post.method = http::Method::POST;
    assert_eq!(came_of(Locales::redirect(["en", "de"]), &post), "= de!~");
    let feeds = Locales::redirect(["en", "de"]).except("/feeds");
    assert_eq!(came_of(feeds.clone(), &Asked::get("/feeds/all")), "= -");
    assert_eq!(came_of(feeds, &Asked::get("/feedsy")), "/en/feedsy!~");
}

#[test]
fn what_is_configured_wrongly_is_said() {
    for (locales, text) in [
        (Locales::redirect(Vec::<String>::new()), "between 1 and 200"),
        (Locales::redirect(["en", "de_AT"]), "`de_AT` is no language"),
        (Locales::redirect(["en", "EN"]), "named twice"),
        (Locales::variant::<Odd>(), "a value of the variant `odd`"),
        (Locales::redirect(["en"]).cookie("a;b"), "cookie's name"),
        (Locales::redirect(["en"]).except("feeds/"), "`except"),
        (Locales::redirect(["en"]).except("/"), "`except"),
    ] {
        let error = locales.check().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
}
