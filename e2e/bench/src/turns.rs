//! Something beside the same without it, in turns: two servers, each in a process of its own, asked by the same requests.

use crate::{
    json,
    server::Started,
    table::{aligned, median},
    wrk::{self, Load, Run},
};
use serde::Serialize;
use std::fs;
use tropos_cases::{
    check::{Problem, fail},
    client::{Client, Request},
};

#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Turns {
    #[command(flatten)]
    load: Load,
    /// Turns of each; medians count
    #[arg(long, default_value_t = 7)]
    rounds: u32,
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

/// All that was compared.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    load: String,
    /// The machine's load of the last minute, before and after.
    average: [String; 2],
    /// What the two sides are called.
    sides: [&'static str; 2],
    rows: Vec<Row>,
    #[serde(skip)]
    options: Turns,
}

/// One comparison.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    without: Vec<Turn>,
    with: Vec<Turn>,
    /// Medians of the ratios of neighbouring turns.
    rate_ratio: f64,
    tail_ratio: f64,
    /// The server's time for a request without it, by that with it: what the rate ratio is on a machine that does nothing else, and
    /// steadier on one that does.
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

impl Turns {
    /// A report without a comparison yet.
    pub(crate) fn report(self, sides: [&'static str; 2]) -> Report {
        let Load { connections, threads, seconds } = self.load;
        let load =
            format!("wrk -t{threads} -c{connections} -d{seconds}s, {} turns each, medians", self.rounds);
        Report { load, average: [load_average(), String::new()], sides, rows: Vec::new(), options: self }
    }
}

impl Report {
    /// Measures one path of two servers.
    ///
    /// # Errors
    /// Where wrk is missing, or a server answers with an error.
    pub(crate) async fn compare(
        &mut self,
        name: String,
        path: &str,
        without: &Started,
        with: &Started,
    ) -> Result<(), Problem> {
        let Turns { load, rounds, .. } = self.options;
        warm(without, path).await?;
        warm(with, path).await?;
        let turn = async |server: &Started| {
            let before = server.worked_us();
            let run = wrk::run_with(&format!("{}{path}", server.url()), load, &SENT).await?;
            let requests = run.rate * f64::from(load.seconds);
            Ok::<_, Problem>(Turn { run, work_us: (server.worked_us() - before) / requests })
        };
        let [mut with_it, mut without_it] = [const { Vec::new() }; 2];
        for round in 1..=rounds {
            // Whoever is second in one turn is first in the next: what a turn does to the machine meets both.
            for is_with in [round % 2 == 0, round % 2 != 0] {
                match is_with {
                    true => with_it.push(turn(with).await?),
                    false => without_it.push(turn(without).await?),
                }
            }
            eprintln!("{name}, turn {round} of {rounds}");
        }
        let ratio = |of: fn(&Turn) -> f64| {
            let pairs = with_it.iter().zip(&without_it);
            median(pairs.map(|(with, without)| of(with) / of(without)).collect()).unwrap_or_default()
        };
        let (rate_ratio, tail_ratio) = (ratio(|turn| turn.run.rate), ratio(|turn| turn.run.p99_ms));
        let work_ratio = ratio(|turn| 1.0 / turn.work_us);
        self.rows.push(Row { name, without: without_it, with: with_it, rate_ratio, tail_ratio, work_ratio });
        Ok(())
    }

    /// The table, or JSON where that was asked for.
    ///
    /// # Errors
    /// Where it is no JSON.
    pub(crate) fn finish(mut self) -> Result<String, Problem> {
        self.average[1] = load_average();
        if self.options.json { json(&self) } else { Ok(self.show()) }
    }

    fn show(&self) -> String {
        let middle =
            |turns: &[Turn], of: fn(&Turn) -> f64| median(turns.iter().map(of).collect()).unwrap_or_default();
        let rate = |turns: &[Turn]| format!("{:.0}", middle(turns, |turn| turn.run.rate));
        let work = |turns: &[Turn]| format!("{:.2} us", middle(turns, |turn| turn.work_us));
        let [without, with] = self.sides;
        let mut lines = vec![[
            String::new(),
            format!("{without}/s"),
            format!("{with}/s"),
            "ratio".to_owned(),
            "p99, ratio".to_owned(),
            format!("{without}, work"),
            format!("{with}, work"),
            "ratio".to_owned(),
        ]];
        lines.extend(self.rows.iter().map(|row| {
            [
                row.name.clone(),
                rate(&row.without),
                rate(&row.with),
                format!("{:.3}", row.rate_ratio),
                format!("{:.2}", row.tail_ratio),
                work(&row.without),
                work(&row.with),
                format!("{:.3}", row.work_ratio),
            ]
        }));
        let [before, after] = &self.average;
        format!("{}; load average {before} before, {after} after\n{}", self.load, aligned(&lines))
    }
}

/// The load of the last minute, where the system tells it.
fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// Asks a few times: the first makes a stored page, the next are hits.
async fn warm(server: &Started, path: &str) -> Result<(), Problem> {
    let client = Client::new(server.url())?;
    let lines = SENT.iter().filter_map(|line| line.split_once(": "));
    let request = lines.fold(Request::get(path), |request, (name, value)| request.with(name, value));
    for _ in 0..3 {
        let page = client.send(&request).await?;
        if page.status != 200 {
            return fail(format!("{}{path} answered {}", server.url(), page.status));
        }
    }
    Ok(())
}
