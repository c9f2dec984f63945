//! What telling a collector of everything costs: the same page with it and without, in turns.
//!
//! Two collectors: one that takes whatever it is sent, and one that takes the connection and never answers. Sampling is what a
//! server does by default.

use crate::{
    hooks::{load_average, server::Started, warm},
    json,
    table::{aligned, median},
    wrk::{self, Load, Run},
};
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tropos_cases::check::Problem;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    load: Load,
    /// Turns of each; medians count
    #[arg(long, default_value_t = 7)]
    rounds: u32,
    /// Prints JSON in place of a table
    #[arg(long)]
    json: bool,
}

/// One page with a collector beside the same without.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    told: Vec<Run>,
    off: Vec<Run>,
    /// Medians of the ratios of neighbouring turns.
    rate_ratio: f64,
    tail_ratio: f64,
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
    let off = Started::start(&[]).await?;
    let mut rows = Vec::new();
    for (collector, answers) in [("a collector", true), ("a dead collector", false)] {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let collecting = tokio::spawn(collect(listener, answers));
        let told = Started::start(&["--collector", &address]).await?;
        for (page, path) in [("a hit", "/page"), ("a `server` page", "/rendered")] {
            let at = |server: &Started| server.url().replace("/page", path);
            let (with, without) = (at(&told), at(&off));
            warm(&with).await?;
            warm(&without).await?;
            let name = format!("{page}, {collector}");
            let mut row = Row { name, told: Vec::new(), off: Vec::new(), rate_ratio: 0.0, tail_ratio: 0.0 };
            for round in 1..=options.rounds {
                // Whoever is second in one turn is first in the next.
                let order = if round % 2 == 0 { [true, false] } else { [false, true] };
                for is_told in order {
                    let (url, runs) = if is_told { (&with, &mut row.told) } else { (&without, &mut row.off) };
                    runs.push(wrk::run_with(url, options.load, &[]).await?);
                }
                eprintln!("{}, turn {round} of {}", row.name, options.rounds);
            }
            let ratio = |of: fn(&Run) -> f64| {
                let pairs = row.told.iter().zip(&row.off);
                median(pairs.map(|(with, without)| of(with) / of(without)).collect()).unwrap_or_default()
            };
            (row.rate_ratio, row.tail_ratio) = (ratio(|run| run.rate), ratio(|run| run.p99_ms));
            rows.push(row);
        }
        told.stop().await?;
        collecting.abort();
    }
    off.stop().await?;
    let Load { connections, threads, seconds } = options.load;
    let report = Report {
        load: format!("wrk -t{threads} -c{connections} -d{seconds}s, {} turns each, medians", options.rounds),
        average: [before, load_average()],
        rows,
    };
    if options.json { json(&report) } else { Ok(show(&report)) }
}

fn show(report: &Report) -> String {
    let middle = |runs: &[Run]| median(runs.iter().map(|run| run.rate).collect()).unwrap_or_default();
    let mut lines = vec![["", "off/s", "told/s", "ratio", "p99, ratio"].map(str::to_owned)];
    lines.extend(report.rows.iter().map(|row| {
        [
            row.name.clone(),
            format!("{:.0}", middle(&row.off)),
            format!("{:.0}", middle(&row.told)),
            format!("{:.3}", row.rate_ratio),
            format!("{:.2}", row.tail_ratio),
        ]
    }));
    let [before, after] = &report.average;
    format!("{}; load average {before} before, {after} after\n{}", report.load, aligned(&lines))
}

/// Takes messages, and answers each with 200 and an empty message, which is a whole success, or with nothing at all.
async fn collect(listener: TcpListener, answers: bool) {
    let mut held = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        match answers {
            true => drop(tokio::spawn(take(stream))),
            // As many as a server opens: one, which is tried again at its time limit.
            false => held.push(stream),
        }
    }
}

async fn take(mut stream: TcpStream) {
    let mut head = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        head.push(byte);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let length = length.and_then(|length| length.parse::<u64>().ok()).unwrap_or_default();
        let taken = tokio::io::copy(&mut (&mut stream).take(length), &mut tokio::io::sink()).await;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        if taken.is_err() || stream.write_all(answer).await.is_err() {
            return;
        }
        head.clear();
    }
}
