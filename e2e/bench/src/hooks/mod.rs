//! A stored page behind five hooks, beside the same page behind none, in turns.
//!
//! Both are asked by the same requests, those of a browser: what is compared is the hooks alone.

pub(crate) mod server;

use crate::{
    json,
    table::{aligned, median},
    wrk::{self, Load, Run},
};
use serde::Serialize;
use server::{NAMES, Started};
use std::fs;
use tropos_cases::{
    check::{Problem, fail},
    client::{Client, Request},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    load: Load,
    /// Turns of each; medians count
    #[arg(long, default_value_t = 7)]
    rounds: u32,
    /// Each hook alone too
    #[arg(long)]
    each: bool,
    /// Prints JSON in place of a table
    #[arg(long)]
    json: bool,
}

/// What a browser sends, with the cookies of somebody who was here before, and what a CDN adds.
const SENT: [&str; 6] = [
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Encoding: identity",
    "Accept-Language: de,en;q=0.5",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Cookie: ab=b; session=good",
    "CF-IPCountry: DE",
];

/// One set of hooks beside none.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    hooks: Vec<Turn>,
    none: Vec<Turn>,
    /// Medians of the ratios of neighbouring turns.
    rate_ratio: f64,
    tail_ratio: f64,
    /// The server's time for a request without hooks, by that with them: what the rate ratio is on a machine that does nothing
    /// else, and steadier on one that does.
    work_ratio: f64,
}

/// One turn of one server.
#[derive(Debug, Serialize)]
struct Turn {
    #[serde(flatten)]
    run: Run,
    /// Microseconds of processors that the server took for a request, the kernel's part included.
    work_us: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    load: String,
    /// The machine's load of the last minute, before and after.
    average: [String; 2],
    rows: Vec<Row>,
}

/// Measures, and gives the table.
///
/// # Errors
/// Where wrk is missing, or a server does not start or answers with an error.
pub(crate) async fn run(options: &Options) -> Result<String, Problem> {
    let before = load_average();
    let none = Started::with(&[]).await?;
    let mut rows = Vec::new();
    let each = NAMES.iter().filter(|_| options.each).map(|name| ((*name).to_owned(), vec![*name]));
    for (name, hooks) in each.chain([("five hooks".to_owned(), NAMES.to_vec())]) {
        let with = Started::with(&hooks).await?;
        let (rate_ratio, tail_ratio, work_ratio) = (0.0, 0.0, 0.0);
        let mut row = Row { name, hooks: Vec::new(), none: Vec::new(), rate_ratio, tail_ratio, work_ratio };
        for round in 1..=options.rounds {
            // Whoever is second in one turn is first in the next: what a turn does to the machine meets both.
            let order = if round % 2 == 0 { [true, false] } else { [false, true] };
            for hooked in order {
                let (server, turns) = if hooked { (&with, &mut row.hooks) } else { (&none, &mut row.none) };
                let before = server.worked_us();
                let run = wrk::run_with(server.url(), options.load, &SENT).await?;
                let requests = run.rate * f64::from(options.load.seconds);
                turns.push(Turn { run, work_us: (server.worked_us() - before) / requests });
            }
            eprintln!("{}, turn {round} of {}", row.name, options.rounds);
        }
        let ratio = |of: fn(&Turn) -> f64| {
            let pairs = row.hooks.iter().zip(&row.none);
            median(pairs.map(|(with, without)| of(with) / of(without)).collect()).unwrap_or_default()
        };
        (row.rate_ratio, row.tail_ratio) = (ratio(|turn| turn.run.rate), ratio(|turn| turn.run.p99_ms));
        row.work_ratio = ratio(|turn| 1.0 / turn.work_us);
        rows.push(row);
        with.stop().await?;
    }
    none.stop().await?;
    let Load { connections, threads, seconds } = options.load;
    let report = Report {
        load: format!("wrk -t{threads} -c{connections} -d{seconds}s, {} turns each, medians", options.rounds),
        average: [before, load_average()],
        rows,
    };
    if options.json { json(&report) } else { Ok(show(&report)) }
}

fn show(report: &Report) -> String {
    let middle =
        |turns: &[Turn], of: fn(&Turn) -> f64| median(turns.iter().map(of).collect()).unwrap_or_default();
    let rate = |turns: &[Turn]| format!("{:.0}", middle(turns, |turn| turn.run.rate));
    let work = |turns: &[Turn]| format!("{:.2} us", middle(turns, |turn| turn.work_us));
    let head = ["", "none/s", "hooks/s", "ratio", "p99, ratio", "none, work", "hooks, work", "ratio"];
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(report.rows.iter().map(|row| {
        [
            row.name.clone(),
            rate(&row.none),
            rate(&row.hooks),
            format!("{:.3}", row.rate_ratio),
            format!("{:.2}", row.tail_ratio),
            work(&row.none),
            work(&row.hooks),
            format!("{:.3}", row.work_ratio),
        ]
    }));
    let [before, after] = &report.average;
    format!("{}; load average {before} before, {after} after\n{}", report.load, aligned(&lines))
}

/// The load of the last minute, where the system tells it.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// Asks once, and again: the first makes the page, the second is a hit.
pub(crate) async fn warm(url: &str) -> Result<(), Problem> {
    let (authority, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.find('/').map(|at| rest.split_at(at)))
        .ok_or_else(|| Problem::Failed(format!("{url} is no address")))?;
    let client = Client::new(&format!("http://{authority}"))?;
    let lines = SENT.iter().filter_map(|line| line.split_once(": "));
    let request = lines.fold(Request::get(path), |request, (name, value)| request.with(name, value));
    for _ in 0..3 {
        let page = client.send(&request).await?;
        if page.status != 200 {
            return fail(format!("{url} answered {}", page.status));
        }
    }
    Ok(())
}
