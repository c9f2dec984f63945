//! Flags: who is let in, who stays in, and what a broken table does.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Asked, Still, outcome_on};
use std::{collections::BTreeSet, sync::atomic::Ordering};
use tropos_edge::{
    Event, Hook, Hooks,
    ready::flags::{Enabled, Flags, Rule, is_on},
    run::{Outcome, Passed},
};

tropos_edge::variant! { enum NewCheckout: "new-checkout" { Off = "off", On = "on" } }
tropos_edge::variant! { enum Wrong: "wrong" { On = "on", Off = "off" } }

fn ask(platform: &Still, hooks: &Hooks, visitor: Option<&str>, country: Option<&str>) -> Passed {
    let mut asked = Asked::get("/");
    asked.client.geo.country = country.map(|country| country.to_owned().into());
    let asked =
        visitor.into_iter().fold(asked, |asked, name| asked.header("cookie", &format!("visitor={name}")));
    match outcome_on(platform, hooks, &asked) {
        Outcome::Pass(passed) => passed,
        Outcome::Answer(answer) => panic!("{answer:?}"),
    }
}

fn enabled(passed: &Passed) -> Enabled {
    let (_, json) = passed.context.iter().find(|(name, _)| *name == "flags").unwrap();
    serde_json::from_str(json).unwrap()
}

#[test]
fn a_share_that_is_raised_only_adds_visitors() {
    let mut before = BTreeSet::new();
    for share in [0, 1, 50, 300, 999, 1000] {
        let hooks =
            Hooks::new().hook(Flags::new().flag("new-checkout", Rule::share(share)).variant::<NewCheckout>());
        let on: BTreeSet<_> = (0..10_000)
            .filter(|at| {
                is_on::<NewCheckout>(&ask(&Still::default(), &hooks, Some(&format!("v{at}")), None).variants)
            })
            .collect();
        assert!(before.is_subset(&on), "{share}");
        let expected = usize::from(share) * 10;
        assert!(on.len().abs_diff(expected) <= 150, "{} for {expected}", on.len());
        before = on;
    }
    assert_eq!(before.len(), 10_000);
}

#[test]
fn who_is_let_in() {
    let german = || Rule::share(1000).countries(["DE"]).allow(["boss"]);
    for (rule, visitor, country, on) in [
        (Rule::on(), None, None, true),
        (Rule::off(), Some("a"), Some("DE"), false),
        (Rule::share(999), None, None, false),
        (german(), Some("a"), Some("DE"), true),
        (german(), None, Some("DE"), true),
        (german(), Some("a"), Some("de"), true),
        (german(), Some("a"), Some("FR"), false),
        (german(), Some("a"), Some("XX"), false),
        (german(), Some("a"), None, false),
        (german(), Some("boss"), Some("FR"), true),
        (Rule::off().allow(["boss"]), Some("boss"), None, true),
        (Rule::off().allow(["boss"]), Some("Boss"), None, false),
    ] {
        let text = format!("{rule:?} {visitor:?} {country:?}");
        let hooks = Hooks::new()
            .hook(Flags::new().flag("new-checkout", rule).flag("other", Rule::on()).variant::<NewCheckout>());
        let passed = ask(&Still::default(), &hooks, visitor, country);
        assert_eq!(is_on::<NewCheckout>(&passed.variants), on, "{text}");
        assert_eq!(enabled(&passed).is_on("new-checkout"), on, "{text}");
        assert!(enabled(&passed).is_on("other") && !enabled(&passed).is_on("none"));
    }
}

#[test]
fn a_table_of_the_store_is_kept_for_ten_seconds_and_a_broken_one_leaves_the_last() {
    let hooks = Hooks::new().hook(
        Flags::new()
            .flag("new-checkout", Rule::off())
            .flag("own", Rule::on())
            .from_store("config", "flags")
            .variant::<NewCheckout>(),
    );
    let platform = Still::default();
    let put = |text: &str| {
        let name = ("config".to_owned(), "flags".to_owned());
        platform.store.lock().unwrap().insert(name, text.to_owned().into());
    };
    let ask = || {
        let passed = ask(&platform, &hooks, Some("a"), None);
        assert!(enabled(&passed).is_on("own"), "flags that the store does not name stay");
        (is_on::<NewCheckout>(&passed.variants), passed.events.len())
    };
    let after = |seconds: u64| {
        platform.now.fetch_add(seconds * 1000, Ordering::Relaxed);
    };
    after(1_000_000);
    assert_eq!(ask(), (false, 0), "nothing in the store");
    put(r#"{"new-checkout": true}"#);
    after(9);
    assert_eq!(ask(), (false, 0), "kept");
    after(1);
    assert_eq!(ask(), (true, 0));
    for broken in [
        "{",
        "[]",
        r#"{"new-checkout": 1}"#,
        r#"{"new-checkout": {"per_mille": 1001}}"#,
        r#"{"new-checkout": {"per_mille": 0, "country": []}}"#,
        r#"{"a b": true}"#,
        r#"{"new-checkout": {"per_mille": 1, "countries": ["Germany"]}}"#,
        &"x".repeat(300_000),
        &format!("{{{}}}", (0..65).map(|at| format!("\"f{at}\":false")).collect::<Vec<_>>().join(",")),
    ] {
        put(broken);
        after(10);
        assert_eq!(ask(), (true, 1), "{broken:.60}");
        assert_eq!(ask(), (true, 0), "said once each time it is looked up");
    }
    put(r#"{"new-checkout": {"per_mille": 0, "allow": ["b"], "countries": ["DE"], "salt": "2"}}"#);
    after(10);
    assert_eq!(ask(), (false, 0));
    put(r#"{"new-checkout": true}"#);
    platform.now.store(5, Ordering::Relaxed);
    assert_eq!(ask(), (true, 0), "a clock that was set back makes a table old");
}

#[test]
fn only_variants_make_a_page_private_and_files_have_no_flags() {
    let flags = || Flags::new().flag("new-checkout", Rule::on());
    for (flags, target, personal, context) in [
        (flags(), "/", false, 1),
        (flags().variant::<NewCheckout>(), "/", true, 1),
        (flags().variant::<NewCheckout>(), "/api/f", true, 1),
        (flags().variant::<NewCheckout>(), "/logo.svg", false, 0),
        (flags().variant::<NewCheckout>(), "/_tropos/assets/a", false, 0),
    ] {
        let passed = common::pass(&Hooks::new().hook(flags), &Asked::get(target));
        assert_eq!((passed.personal, passed.context.len()), (personal, context), "{target}");
    }
}

#[test]
fn a_problem_of_the_store_is_told_by_name() {
    let hooks = Hooks::new().hook(Flags::new().from_store("config", "flags"));
    let platform = Still::default();
    let name = ("config".to_owned(), "flags".to_owned());
    platform.store.lock().unwrap().insert(name, "{".into());
    let passed = ask(&platform, &hooks, None, None);
    assert!(
        matches!(&passed.events[..], [Event::Problem { hook, problem }] if hook == "flags" && problem.contains("no JSON"))
    );
}

#[test]
fn what_is_configured_wrongly_is_said() {
    for (flags, text) in [
        (Flags::new().flag("a", Rule::share(1001)), "a share of 1001"),
        (Flags::new().flag("a b", Rule::on()), "no name of a flag"),
        (Flags::new().flag("a", Rule::on().countries(["Germany"])), "`Germany`"),
        (Flags::new().flag("a", Rule::on().countries(["de"])), "two capitals"),
        (Flags::new().variant::<NewCheckout>(), "follows no flag"),
        (Flags::new().flag("wrong", Rule::on()).variant::<Wrong>(), "has the values"),
        ((0..65).fold(Flags::new(), |flags, at| flags.flag(&format!("f{at}"), Rule::on())), "65 flags"),
    ] {
        let error = flags.check().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    assert!(Flags::new().from_store("config", "flags").variant::<NewCheckout>().check().is_ok());
}
