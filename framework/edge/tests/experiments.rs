//! Experiments: the split, that nobody moves, and that two do not know of each other.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Asked, Still, outcome_on};
use tropos_edge::{
    Decision, Event, Hook, Hooks, Reply, VariantName,
    event::Exposure,
    hook,
    ready::{
        experiment::{Experiment, Layer},
        visitor::VisitorId,
    },
    run::{Outcome, Passed, run},
};

tropos_edge::variant! { enum Ab: "ab" { A = "a", B = "b" } }
tropos_edge::variant! { enum Button: "button" { Plain = "plain", Bold = "bold", Huge = "huge" } }
tropos_edge::variant! { enum Price: "price" { Below = "below", Beside = "beside" } }

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// A visitor with a browser that keeps cookies.
#[derive(Default, Clone)]
struct Visitor(Vec<(String, String)>);

impl Visitor {
    fn named(name: &str) -> Self {
        Self(vec![("visitor".into(), name.into())])
    }

    fn cookie(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    fn ask(&mut self, platform: &Still, hooks: &Hooks, target: &str) -> Passed {
        let line =
            self.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let asked = Asked::get(target).header("user-agent", BROWSER).header("cookie", &line);
        let Outcome::Pass(passed) = outcome_on(platform, hooks, &asked) else { panic!("answered") };
        for cookie in &passed.response.cookies {
            self.0.retain(|(known, _)| known != cookie.name());
            self.0.push((cookie.name().to_owned(), cookie.value().to_owned()));
        }
        passed
    }
}

fn one(experiment: impl Hook + 'static) -> Hooks {
    Hooks::new().hook(experiment)
}

/// Numbers by chance, as far as a test needs: SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[test]
fn a_hundred_thousand_visitors_split_within_half_a_percent_and_nobody_changes_sides() {
    let weights = [(Button::Plain, 500), (Button::Bold, 300), (Button::Huge, 200)];
    let by_hash = one(Experiment::<Button>::new().weights(weights).by_visitor("visitor"));
    let by_chance = one(Experiment::<Button>::new().weights(weights));
    let mut chance = Chance(7);
    // By chance, one in ten shows that the cookie is kept: the test is slow enough.
    for (hooks, again) in [(by_hash, 1), (by_chance, 10)] {
        let mut seen = [0u32; 3];
        for number in 0..100_000 {
            let platform = Still { random: chance.next().into(), ..Still::default() };
            let mut visitor = Visitor::named(&format!("{:016x}", chance.next()));
            let first = visitor.ask(&platform, &hooks, "/").variants.get::<Button>().unwrap();
            seen[first.place()] += 1;
            if number % again == 0 {
                let later = visitor.ask(&platform, &hooks, "/other").variants.get::<Button>().unwrap();
                assert_eq!(first, later);
            }
        }
        for (seen, (_, weight)) in seen.iter().zip(weights) {
            let off = (f64::from(*seen) / 100_000.0 - f64::from(weight) / 1000.0).abs();
            assert!(off < 0.005, "{seen} of 100,000 for {weight} of 1,000");
        }
    }
}

#[test]
fn two_experiments_are_independent_and_so_are_two_salts_of_one() {
    let pairs = [
        (
            Experiment::<Ab>::new().by_visitor("visitor"),
            Experiment::<Ab>::new().named("other").cookie("other").by_visitor("visitor"),
        ),
        (
            Experiment::<Ab>::new().by_visitor("visitor").salt("1"),
            Experiment::<Ab>::new().by_visitor("visitor").salt("2"),
        ),
    ];
    for (left, right) in pairs {
        let (left, right) = (one(left), one(right));
        let mut table = [[0f64; 2]; 2];
        for at in 0..5_000 {
            let side = |hooks| {
                let mut visitor = Visitor::named(&format!("visitor-{at}"));
                visitor.ask(&Still::default(), hooks, "/").variants.get::<Ab>().unwrap().place()
            };
            table[side(&left)][side(&right)] += 1.0;
        }
        let rows = table.map(|row| row[0] + row[1]);
        let columns = [table[0][0] + table[1][0], table[0][1] + table[1][1]];
        let chi: f64 = (0..4)
            .map(|at| {
                let (row, column) = (at / 2, at % 2);
                let expected = rows[row] * columns[column] / 5_000.0;
                (table[row][column] - expected).powi(2) / expected
            })
            .sum();
        // One degree of freedom: above 10.83 once in a thousand. The visitors are always the same, so this fails always or never.
        assert!(chi < 10.83, "chi-square {chi}");
    }
}

#[test]
fn weights_and_shares_that_change_move_nobody_who_is_in() {
    let at = |share, a| {
        let experiment = Experiment::<Ab>::new().weights([(Ab::A, a), (Ab::B, 1000 - a)]).share(share);
        (one(experiment.clone()), one(experiment.by_visitor("visitor")))
    };
    let mut chance = Chance(3);
    for by_hash in [false, true] {
        let pick = |(chance, hash): (Hooks, Hooks)| if by_hash { hash } else { chance };
        let steps = [pick(at(100, 500)), pick(at(400, 900)), pick(at(1000, 0))];
        let mut taking_part = [0; 3];
        for number in 0..3_000 {
            let mut visitor = Visitor::named(&format!("v{number}"));
            let mut before = None;
            for (step, hooks) in steps.iter().enumerate() {
                let platform = Still { random: chance.next().into(), ..Still::default() };
                let passed = visitor.ask(&platform, hooks, "/");
                let now = passed.variants.get::<Ab>().unwrap();
                let counted = !passed.events.is_empty();
                if let Some(before) = before {
                    assert!(counted && before == now, "whoever is in stays in, and stays there");
                }
                assert!(counted || now == Ab::A, "who is out sees the control");
                taking_part[step] += u32::from(counted);
                before = counted.then_some(now);
            }
        }
        assert!((200..400).contains(&taking_part[0]), "{taking_part:?}");
        assert!((1_050..1_350).contains(&taking_part[1]), "{taking_part:?}");
        assert_eq!(taking_part[2], 3_000);
    }
}

#[test]
fn a_value_that_is_none_counts_as_none() {
    let hooks = one(Experiment::<Ab>::new());
    for odd in
        ["c", "", "A", "a ", "a,b", "out.", "out.x", "out.1000", "out.00001", "out.-1", "%61", "a\u{e9}"]
    {
        let asked = Asked::get("/").header("user-agent", BROWSER);
        let mut asked = asked;
        let line = http::HeaderValue::from_bytes(format!("ab={odd}").as_bytes()).unwrap();
        asked.headers.append("cookie", line);
        let Outcome::Pass(passed) = outcome_on(&Still::default(), &hooks, &asked) else { panic!() };
        // A space at the end is no part of a cookie.
        let known = odd == "a ";
        assert_eq!(passed.response.cookies.is_empty(), known, "{odd:?}");
        assert!(passed.variants.get::<Ab>().is_some());
    }
}

#[test]
fn crawlers_see_the_control_and_are_not_counted() {
    let all_b = Experiment::<Ab>::new().weights([(Ab::B, 1000)]);
    for (agent, control) in [
        (Some("Mozilla/5.0 (compatible; Googlebot/2.1)"), true),
        (Some("BINGBOT"), true),
        (Some(""), true),
        (None, true),
        (Some(BROWSER), false),
    ] {
        let asked = agent.into_iter().fold(Asked::get("/"), |asked, agent| asked.header("user-agent", agent));
        let Outcome::Pass(passed) = outcome_on(&Still::default(), &one(all_b.clone()), &asked) else {
            panic!()
        };
        assert_eq!(passed.variants.get::<Ab>(), Some(if control { Ab::A } else { Ab::B }), "{agent:?}");
        assert_eq!(passed.response.cookies.is_empty() && passed.events.is_empty(), control, "{agent:?}");
        let with = one(all_b.clone().with_crawlers());
        let Outcome::Pass(passed) = outcome_on(&Still::default(), &with, &asked) else { panic!() };
        assert_eq!(passed.variants.get::<Ab>(), Some(Ab::B));
    }
}

#[test]
fn the_query_forces_only_where_it_may_and_leaves_nothing_behind() {
    let all_a = Experiment::<Ab>::new().weights([(Ab::A, 1000)]);
    let forced = one(all_a.clone().force_by("ab"));
    for (hooks, target, value, quiet) in [
        (&forced, "/?ab=b", Ab::B, true),
        (&forced, "/?ab=c", Ab::A, false),
        (&forced, "/?x=b", Ab::A, false),
        (&one(all_a.clone()), "/?ab=b", Ab::A, false),
    ] {
        let passed = Visitor::default().ask(&Still::default(), hooks, target);
        assert_eq!(passed.variants.get::<Ab>(), Some(value), "{target}");
        assert_eq!(passed.events.is_empty() && passed.response.cookies.is_empty(), quiet, "{target}");
    }
}

#[test]
fn each_view_is_an_exposure_except_what_is_fetched_ahead() {
    let hooks = one(Experiment::<Ab>::new().named("button-text"));
    let mut visitor = Visitor::default();
    let first = visitor.ask(&Still::default(), &hooks, "/");
    let variant = first.variants.get::<Ab>().unwrap().as_str();
    let exposure = |first| Event::Exposure(Exposure { experiment: "button-text".into(), variant, first });
    assert_eq!(first.events, [exposure(true)]);
    assert_eq!(visitor.ask(&Still::default(), &hooks, "/").events, [exposure(false)]);
    for (name, value) in
        [("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch"), ("accept", "text/event-stream")]
    {
        let ahead = Asked::get("/").header("user-agent", BROWSER).header(name, value);
        let Outcome::Pass(passed) = outcome_on(&Still::default(), &hooks, &ahead) else { panic!() };
        assert!(passed.events.is_empty() && passed.response.cookies.len() == 1);
    }
}

#[test]
fn files_and_tropos_itself_stay_the_same_for_all() {
    let hooks = Hooks::new()
        .hook(VisitorId::new())
        .hook(Experiment::<Ab>::new())
        .hook(Layer::new("layer").experiment(0..9, Experiment::<Price>::new()));
    for (target, personal) in [
        ("/", true),
        ("/products/7", true),
        ("/robots.txt", false),
        ("/_tropos/assets/a.12ab.js", false),
        ("/_tropos/live/x", false),
    ] {
        let passed = Visitor::default().ask(&Still::default(), &hooks, target);
        assert_eq!(passed.personal, personal, "{target}");
        assert_eq!(passed.response.cookies.is_empty(), !personal, "{target}");
        assert_eq!(passed.variants.is_empty() && passed.events.is_empty(), !personal, "{target}");
    }
    let page = |_: &tropos_core::CanonicalPath| {
        Some(tropos_edge::request::Route { pattern: "/releases/:version", mode: tropos_core::Mode::Isr })
    };
    let asked = Asked::get("/releases/1.2").header("user-agent", BROWSER);
    let platform = Still::default();
    let routed = run(&hooks, asked.request(), &page, &platform);
    let Outcome::Pass(passed) = futures::executor::block_on(routed) else { panic!() };
    assert!(passed.personal && !passed.variants.is_empty(), "the router says that this is a page");
    let mut post = Asked::get("/").header("user-agent", BROWSER);
    post.method = http::Method::POST;
    let Outcome::Pass(passed) = outcome_on(&Still::default(), &hooks, &post) else { panic!() };
    assert!(passed.events.is_empty(), "a form that is sent is no view");
}

#[test]
fn a_rewrite_makes_no_second_exposure_and_an_answer_makes_none() {
    let experiment = || Experiment::<Ab>::new();
    let rewrites = Hooks::new().hook(experiment()).at("/", hook("goes", |_, _| Decision::rewrite("/home")));
    let passed = Visitor::default().ask(&Still::default(), &rewrites, "/");
    assert!(
        matches!(&passed.events[..], [Event::Exposure(Exposure { first: true, .. })]),
        "{:?}",
        passed.events
    );
    let answers =
        Hooks::new().hook(experiment()).hook(hook("no", |_, _| Decision::from(Reply::text(403, "no"))));
    let asked = Asked::get("/").header("user-agent", BROWSER);
    let Outcome::Answer(answer) = outcome_on(&Still::default(), &answers, &asked) else { panic!() };
    assert!(answer.events.is_empty() && answer.response.cookies.len() == 1);
}

#[test]
fn no_visitor_is_in_two_experiments_of_a_layer() {
    let layer = |visitor: bool| {
        let layer = Layer::new("checkout")
            .experiment(0..300, Experiment::<Ab>::new().weights([(Ab::B, 1000)]))
            .experiment(300..600, Experiment::<Price>::new().weights([(Price::Beside, 1000)]));
        one(if visitor { layer.by_visitor("visitor") } else { layer })
    };
    let mut chance = Chance(11);
    for by_visitor in [false, true] {
        let hooks = layer(by_visitor);
        let mut seen = [0; 3];
        for number in 0..5_000 {
            let platform = Still { random: chance.next().into(), ..Still::default() };
            let mut visitor = Visitor::named(&format!("v{number}"));
            let first = visitor.ask(&platform, &hooks, "/").variants;
            assert_eq!(visitor.ask(&platform, &hooks, "/").variants, first);
            let takes_part = hooks.experiments(&|name| visitor.cookie(name));
            let expected: Vec<(String, &str)> =
                match (first.get::<Ab>().unwrap(), first.get::<Price>().unwrap()) {
                    (Ab::B, _) => vec![("ab".to_owned(), "b")],
                    (_, Price::Beside) => vec![("price".to_owned(), "beside")],
                    _ => Vec::new(),
                };
            assert_eq!(takes_part, expected, "who counts elsewhere is told the same");
            match (first.get::<Ab>().unwrap(), first.get::<Price>().unwrap()) {
                (Ab::B, Price::Below) => seen[0] += 1,
                (Ab::A, Price::Beside) => seen[1] += 1,
                (Ab::A, Price::Below) => seen[2] += 1,
                both => panic!("{both:?}"),
            }
        }
        for (seen, expected) in seen.iter().zip([1_500, 1_500, 2_000]) {
            assert!(i32::abs(seen - expected) < 150, "{seen} for {expected}");
        }
    }
}

#[test]
fn a_visitor_is_given_a_name_once_and_later_hooks_know_it() {
    let hooks = Hooks::new().hook(VisitorId::new()).hook(Experiment::<Ab>::new().by_visitor("visitor"));
    let mut visitor = Visitor::default();
    let first = visitor.ask(&Still::default(), &hooks, "/");
    let name = visitor.0.iter().find(|(name, _)| name == "visitor").unwrap().1.clone();
    assert_eq!(name.len(), 32);
    assert_eq!(first.response.cookies.len(), 2);
    assert!(visitor.ask(&Still::default(), &hooks, "/").response.cookies.is_empty());
    // By the name alone, without the experiment's own cookie, the same again.
    let again = Visitor::named(&name).ask(&Still::default(), &hooks, "/");
    assert_eq!(again.variants, first.variants);
    let asks = one(VisitorId::new().only_with("consent", "yes"));
    assert!(Visitor::default().ask(&Still::default(), &asks, "/").response.cookies.is_empty());
    let mut agreed = Visitor(vec![("consent".into(), "yes".into())]);
    assert_eq!(agreed.ask(&Still::default(), &asks, "/").response.cookies.len(), 1);
}

#[test]
fn what_is_configured_wrongly_is_said() {
    let ab = Experiment::<Ab>::new;
    let cases: [(Box<dyn Hook>, &str); 10] = [
        (Box::new(ab().weights([(Ab::A, 500)])), "the weights come to 500 of 1,000"),
        (Box::new(ab().weights([(Ab::A, 600), (Ab::B, 600)])), "come to 1200"),
        (Box::new(ab().weights([(Ab::A, 500), (Ab::A, 500)])), "`a` has two weights"),
        (Box::new(ab().share(1001)), "a share of 1001"),
        (Box::new(ab().cookie("a b")), "`a b` is no name"),
        (Box::new(ab().days(500)), "1 to 400 days"),
        (
            Box::new(
                Layer::new("l").experiment(0..500, ab()).experiment(499..600, Experiment::<Price>::new()),
            ),
            "share places",
        ),
        (Box::new(Layer::new("l").experiment(0..1001, ab())), "within 0..1000"),
        (
            Box::new(Layer::new("l").experiment(0..5, ab()).experiment(5..9, ab())),
            "two experiments are named `ab`",
        ),
        (Box::new(VisitorId::new().days(0)), "1 to 400 days"),
    ];
    for (hook, text) in cases {
        let error = hook.check().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    for fine in [ab(), ab().share(0), ab().named("other.2").cookie("o_2")] {
        assert!(fine.check().is_ok());
    }
    assert!(Experiment::<Button>::new().check().is_ok(), "even parts of three come to 1,000");
}
