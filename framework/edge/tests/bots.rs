//! Rules for crawlers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Asked, Still, lines, pass, passed_headers, status_on};
use tropos_edge::{
    Hook, Hooks,
    ready::{Bots, bots::known},
};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";
const GOOGLE: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
const GPT: &str =
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; GPTBot/1.2; +https://openai.com/gptbot";

fn named(agent: &str) -> Asked {
    Asked::get("/a").header("user-agent", agent)
}

#[test]
fn who_is_denied_by_name_is_refused_unless_allowed() {
    let models = || Bots::new().deny(known::MODELS);
    for (name, bots, asked, status) in [
        ("a browser", models(), named(FIREFOX), 200),
        ("another browser", models(), named(CHROME), 200),
        ("a crawler of the list", models(), named(GPT), 403),
        ("in small letters", models(), named("gptbot"), 403),
        ("one of another list", models(), named(GOOGLE), 200),
        ("by a part", Bots::new().deny(["BadBot"]), named("NotSoBadbot/1.0"), 403),
        ("allowed before denied", Bots::new().allow(["GPTBot"]).deny(known::MODELS), named(GPT), 200),
        ("denied beside allowed", Bots::new().allow(["Googlebot"]).deny(known::MODELS), named(GPT), 403),
        ("beyond what counts", models(), named(&format!("{}GPTBot", " x".repeat(300))), 200),
        ("across the border", models(), named(&format!("{}GPTBot", "x".repeat(510))), 200),
        ("just within", models(), named(&format!("{}GPTBot", "x".repeat(506))), 403),
        ("no name, by default", models(), Asked::get("/a"), 200),
        ("an empty name, by default", models(), named(""), 200),
        ("no name", models().deny_unnamed(), Asked::get("/a"), 403),
        ("an empty name", models().deny_unnamed(), named(""), 403),
        ("a blank name", models().deny_unnamed(), named("   "), 403),
        ("robots.txt", models(), Asked::get("/robots.txt").header("user-agent", GPT), 200),
        ("robots.txt without a name", models().deny_unnamed(), Asked::get("/robots.txt"), 200),
        ("below robots.txt", models(), Asked::get("/robots.txt/a").header("user-agent", GPT), 403),
    ] {
        assert_eq!(status_on(&Still::default(), &Hooks::new().hook(bots), &asked), status, "{name}");
    }
}

#[test]
fn no_list_fits_a_browser() {
    let all = [known::SEARCH, known::MODELS, known::LINKS, known::PREVIEWS, known::TOOLS];
    for list in all {
        let bots = Bots::new().deny(list);
        bots.check().unwrap();
        let hooks = Hooks::new().hook(bots);
        for browser in [FIREFOX, CHROME] {
            assert_eq!(status_on(&Still::default(), &hooks, &named(browser)), 200, "{list:?}");
        }
    }
}

#[test]
fn the_tag_is_on_what_is_let_through() {
    let hooks = Hooks::new().hook(Bots::new().robots("noindex, nofollow"));
    let passed = pass(&hooks, &named(FIREFOX));
    assert_eq!(lines(&passed_headers(&passed), "x-robots-tag"), "noindex, nofollow");
    assert!(!passed.personal, "it is the same for all");
}

#[test]
fn a_rule_that_refuses_some_makes_pages_private_unless_told_not_to() {
    for (name, bots, personal) in [
        ("none", Bots::new(), false),
        ("allowed alone", Bots::new().allow(known::SEARCH), false),
        ("denied", Bots::new().deny(known::LINKS), true),
        ("unnamed", Bots::new().deny_unnamed(), true),
        ("public", Bots::new().deny(known::LINKS).public(), false),
    ] {
        assert_eq!(pass(&Hooks::new().hook(bots), &named(FIREFOX)).personal, personal, "{name}");
    }
}

#[test]
fn what_is_configured_wrongly_is_said_at_start() {
    for (bots, says) in [
        (Bots::new().deny([""]), "too short"),
        (Bots::new().deny(["ie"]), "too short"),
        (Bots::new().deny(["Mozilla"]), "every browser"),
        (Bots::new().deny(["safari"]), "every browser"),
        (Bots::new().robots(""), "X-Robots-Tag"),
        (Bots::new().robots("a\nb"), "X-Robots-Tag"),
    ] {
        let error = bots.check().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
