//! What the cache saves, in a short form of what `soak zipf` prints.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clap::Parser;
use tropos_soak::products::{self, Plan};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    plan: Plan,
}

fn plan(arguments: &str) -> Plan {
    Line::try_parse_from(["zipf"].into_iter().chain(arguments.split_whitespace())).unwrap().plan
}

#[tokio::test]
async fn of_the_reads_of_ten_thousand_products_ninety_nine_in_a_hundred_are_saved() {
    let plan = plan("--rate 1000 --seconds 1200");
    let outcome = products::run(&plan).await.unwrap();
    println!("{plan}\n{outcome}");
    assert!(outcome.saved() >= 0.99, "{outcome}");
    assert_eq!((outcome.requests, outcome.invalidations), (1_200_000, 1_200));
    let again = outcome.reads - outcome.first_reads;
    assert!((1..=1_200).contains(&again), "an invalidation costs one read at most: {again}");
}

#[tokio::test]
async fn a_seed_decides_all_of_it() {
    let run = |seed: &str| plan(&format!("--rate 100 --seconds 30 --changes 5 --products 500 --seed {seed}"));
    let (one, again, two) =
        (products::run(&run("1")).await, products::run(&run("1")).await, products::run(&run("2")).await);
    assert_eq!(one.as_ref().unwrap(), &again.unwrap());
    assert_ne!(one.unwrap(), two.unwrap());
}

#[tokio::test]
async fn without_room_nothing_is_saved() {
    let outcome = products::run(&plan("--rate 100 --seconds 10 --memory-bytes 0")).await.unwrap();
    assert_eq!((outcome.reads, outcome.saved()), (1_000, 0.0));
    assert!(products::run(&plan("--products 0")).await.is_err());
}
