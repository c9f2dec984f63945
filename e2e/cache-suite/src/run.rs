//! Runs the suite and holds its result to the list.

use crate::{
    Error,
    expected::{self, Verdict},
    node::{Outcome, Outcomes, Suite},
    proxy,
};
use std::{fs, path::Path};
use tokio::net::TcpListener;

/// Whether all is as the list says.
pub(crate) async fn suite(folder: &Path, bless: bool, all: bool) -> Result<bool, Error> {
    let suite = Suite::in_folder(folder)?;
    let required = suite.required().await?;
    let list = folder.join("expected.txt");
    let text = fs::read_to_string(&list)?;
    let expected = expected::read(&text)?;

    let mut outcomes = measure(&suite).await?;
    let mut verdict = Verdict::of(&required, &outcomes, &expected);
    if !verdict.lost.is_empty() && !bless {
        // The cases count seconds, which a machine with other work may stretch. What the rules decide fails twice.
        println!("not passed at first: {}; running once more", verdict.lost.join(", "));
        let again = measure(&suite).await?;
        outcomes.extend(again.into_iter().filter(|(_, outcome)| outcome.passed()));
        verdict = Verdict::of(&required, &outcomes, &expected);
    }
    if all {
        outcomes.iter().filter(|(_, outcome)| !outcome.passed()).for_each(|(id, outcome)| show(id, outcome));
    }
    if bless {
        let head: String =
            text.lines().take_while(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        fs::write(&list, expected::write(&head, &required, &outcomes, &expected))?;
        println!("written: {}", list.display());
        return Ok(true);
    }
    report(&verdict, &outcomes, required.len());
    Ok(verdict.problems() == 0)
}

/// One run, with an origin and an empty cache of its own.
async fn measure(suite: &Suite) -> Result<Outcomes, Error> {
    let origin = suite.origin().await?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let target = format!("http://127.0.0.1:{}", origin.port).parse()?;
    let proxy = tokio::spawn(async move { proxy::run(listener, &target).await });
    let outcomes = suite.run(port).await;
    proxy.abort();
    outcomes
}

fn show(id: &str, outcome: &Outcome) {
    match outcome {
        Outcome::Passed(_) => println!("{id}"),
        Outcome::Failed(kind, why) => println!("{id}: {kind}: {why}"),
    }
}

/// The last line is the one that machines read.
fn report(verdict: &Verdict, outcomes: &Outcomes, required: usize) {
    for id in &verdict.lost {
        print!("listed as passed, and failed: ");
        outcomes.get(id).map_or_else(|| println!("{id}: no result"), |outcome| show(id, outcome));
    }
    for id in &verdict.won {
        println!("listed as failed, and passed: {id}; `cargo run -p tropos-cache-suite -- --bless` notes it");
    }
    for id in &verdict.unknown {
        println!("in the suite or in expected.txt, but not in both: {id}");
    }
    println!(
        "required cases: {required}; not passed, for the reasons in expected.txt: {}",
        verdict.failed_as_listed
    );
    println!("{} passed, {} failed", verdict.passed, verdict.problems());
}
