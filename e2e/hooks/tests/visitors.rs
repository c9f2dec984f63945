//! An experiment at scale: a hundred thousand visitors of stored pages.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tropos::{
    App, PageResult, Path, State, Variant,
    edge::{Hooks, Match, VariantName as _, ready::experiment::Experiment},
    prelude::*,
};
use tropos_testing::{Answer, TestApp};

const VISITORS: usize = 100_000;
/// Each visitor comes to one of these pages, and comes again.
const PAGES: usize = 50;
/// Of a thousand, as the weights are.
const WEIGHTS: [(Button, u16); 3] = [(Button::Plain, 500), (Button::Bold, 300), (Button::Huge, 200)];

tropos::edge::variant! { enum Button: "button" { Plain = "plain", Bold = "bold", Huge = "huge" } }

/// Counts renders.
#[derive(Clone, Default)]
struct Renders(Arc<AtomicUsize>);

#[page("/tried/:key", isr(revalidate = "never", variants = Button))]
async fn Tried(
    Path(key): Path<String>,
    Variant(button): Variant<Button>,
    State(renders): State<Renders>,
) -> PageResult {
    renders.0.fetch_add(1, Ordering::SeqCst);
    view! { <p id="button">{format!("{key} {}", button.as_str())}</p> }.into_page()
}

#[page("/plain/:key", isr(revalidate = "never"))]
async fn Plain(Path(key): Path<String>, State(renders): State<Renders>) -> PageResult {
    renders.0.fetch_add(1, Ordering::SeqCst);
    view! { <p id="button">{format!("{key} plain")}</p> }.into_page()
}

/// By the visitor's name, so that the split is the same in every run; and by chance, where there is no name.
fn hooks() -> Hooks {
    let experiment = Experiment::<Button>::new().weights(WEIGHTS).by_visitor("visitor");
    Hooks::new().at(Match::below("/tried"), experiment)
}

async fn site(renders: &Renders) -> Arc<TestApp> {
    let shell = |body| view! { <!DOCTYPE html><html><head></head><body>{body}</body></html> };
    let pages = tropos::routes![Tried, Plain];
    Arc::new(TestApp::new(App::new().shell(shell).hooks(hooks()).pages(pages).state(renders.clone())).await)
}

/// What a visit came to.
struct Visit {
    place: usize,
    hit: bool,
    cookies: String,
}

async fn visit(site: &TestApp, root: &str, key: usize, cookie: &str) -> Visit {
    let path = format!("/{root}/{key}");
    let headers = [("user-agent", "Mozilla/5.0"), ("cookie", cookie)];
    let sent = if cookie.is_empty() { &headers[..1] } else { &headers[..] };
    let answer: Answer = site.get_with(&path, sent).await;
    assert_eq!(answer.status, 200);
    let shown = answer.by_id("button").unwrap();
    let (of, button) = shown.split_once(' ').unwrap();
    assert_eq!(of, key.to_string(), "the page of another address");
    let hit = answer.header("cache-status").contains("; hit");
    Visit { place: Button::parse(button).unwrap().place(), hit, cookies: answer.cookies() }
}

/// What a crowd came to: visitors of each value, hits, and visits.
#[derive(Default)]
struct Sum {
    places: [usize; 3],
    hits: usize,
    visits: usize,
}

/// Sends visitors twice each, half of them at a time. Nobody may change sides.
async fn crowd(site: &Arc<TestApp>, root: &'static str, visitors: usize, name: fn(usize) -> String) -> Sum {
    let halves = [0, 1].map(|half| {
        let site = site.clone();
        tokio::spawn(async move {
            let mut sum = Sum::default();
            for visitor in (half..visitors).step_by(2) {
                let (key, own) = (visitor / 2 % PAGES, name(visitor));
                let first = visit(&site, root, key, &own).await;
                let both = [own.as_str(), &first.cookies].into_iter().filter(|part| !part.is_empty());
                let again = visit(&site, root, key, &both.collect::<Vec<_>>().join("; ")).await;
                assert_eq!(first.place, again.place, "visitor {visitor} changed sides");
                assert_eq!(again.cookies, "", "visitor {visitor} was drawn twice");
                sum.places[first.place] += 1;
                sum.hits += usize::from(first.hit) + usize::from(again.hit);
                sum.visits += 2;
            }
            sum
        })
    });
    let mut whole = Sum::default();
    for half in halves {
        let half = half.await.unwrap();
        whole.places.iter_mut().zip(half.places).for_each(|(all, some)| *all += some);
        whole.hits += half.hits;
        whole.visits += half.visits;
    }
    whole
}

/// How far each value's share is from its weight, at most, in per cent of all visitors.
fn off(sum: &Sum) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "far fewer than 2^52 visitors")]
    let share = |count: usize| count as f64 * 100.0 / (sum.visits / 2) as f64;
    WEIGHTS
        .iter()
        .map(|(value, weight)| (share(sum.places[value.place()]) - f64::from(*weight) / 10.0).abs())
        .fold(0.0, f64::max)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_visitors_are_split_as_the_weights_say_and_nobody_changes_sides() {
    let renders = Renders::default();
    let site = site(&renders).await;
    let count = || renders.0.load(Ordering::SeqCst);

    let plain = crowd(&site, "plain", 10_000, |visitor| format!("visitor=visitor-{visitor}")).await;
    let rendered = count();
    assert_eq!(rendered, PAGES, "without the experiment");
    // Two halves of the crowd may meet at a page that nobody has asked for yet; then both wait for the one render.
    assert!((rendered..=2 * rendered).contains(&(plain.visits - plain.hits)), "without the experiment");

    let tried = crowd(&site, "tried", VISITORS, |visitor| format!("visitor=visitor-{visitor}")).await;
    let (renders, misses) = (count() - rendered, tried.visits - tried.hits);
    println!(
        "{:?} of {VISITORS}, {:.3} % off at most, {renders} renders, {misses} misses of {}",
        tried.places,
        off(&tried),
        tried.visits
    );
    assert!(off(&tried) < 0.5, "{:?}: {} % off", tried.places, off(&tried));
    // One render for each page and value, and nothing else but hits: each value is as good as a page of its own.
    assert_eq!(renders, PAGES * WEIGHTS.len());
    assert!((renders..=2 * renders).contains(&misses), "{misses} misses");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visitors_without_a_name_are_split_by_chance() {
    let site = site(&Renders::default()).await;
    let sum = crowd(&site, "tried", 10_000, |_| String::new()).await;
    println!("{:?}, {:.3} % off at most", sum.places, off(&sum));
    // Six standard deviations of a half of 10,000: three tests in a billion fail by chance.
    assert!(off(&sum) < 3.0, "{:?}: {} % off", sum.places, off(&sum));
}
