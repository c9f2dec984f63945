//! Stored pages and files, beside nginx with the same bytes, in turns.

use crate::{
    Target, json, memory,
    nginx::Nginx,
    table::{self, Row},
    wrk::{self, Load},
};
use serde::Serialize;
use tropos_cases::{
    check::{Problem, fail},
    server::{Server, Settings},
    upstream::Upstream,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    load: Load,
    /// Turns of each; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Only rows with this text in their name
    filter: Vec<String>,
}

/// The length of the value that the measured page shows twice: a page of some 11 kB.
const VALUE: usize = 5_300;

/// What is asked for.
struct Subject {
    name: &'static str,
    path: String,
    /// Whether nginx can answer the same.
    beside: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    load: String,
    rows: Vec<Row>,
    /// In KiB, after all turns.
    tropos_resident: u64,
    nginx_resident: u64,
}

/// Measures, and gives the table.
///
/// # Errors
/// Where something is missing, does not start, or answers with an error.
pub(crate) async fn run(options: &Options) -> Result<String, Problem> {
    let upstream = Upstream::start("127.0.0.1:0").await?;
    upstream.set("demand-bench", &"b".repeat(VALUE));
    let server = Server::start(Settings {
        binary: options.target.server.clone(),
        upstream_url: upstream.url(),
        token: None,
        extra: options.target.environment(),
    })
    .await?;
    let nginx = Nginx::start().await?;
    let client = server.http();
    let mut rows = Vec::new();
    for (number, subject) in subjects(&client).await?.into_iter().enumerate() {
        if !options.filter.is_empty()
            && !options.filter.iter().any(|part| subject.name.contains(part.as_str()))
        {
            continue;
        }
        let page = client.get(&subject.path).await?;
        if page.status != 200 {
            return fail(format!("{} answered {}", subject.path, page.status));
        }
        let ours = format!("http://{}{}", client.authority(), subject.path);
        let theirs = subject.beside.then(|| nginx.serve(&number.to_string(), &page.body)).transpose()?;
        let mut row = Row { name: subject.name, bytes: page.body.len(), tropos: vec![], nginx: vec![] };
        for round in 1..=options.rounds {
            if let Some(theirs) = &theirs {
                row.nginx.push(wrk::run(theirs, options.load).await?);
            }
            row.tropos.push(wrk::run(&ours, options.load).await?);
            eprintln!("{}, turn {round} of {}", subject.name, options.rounds);
        }
        rows.push(row);
    }
    let resident =
        |process: Option<u32>| process.map(memory::resident).transpose().map(Option::unwrap_or_default);
    let Load { connections, threads, seconds } = options.load;
    let report = Report {
        load: format!("wrk -t{threads} -c{connections} -d{seconds}s, {} turns each, medians", options.rounds),
        rows,
        tropos_resident: resident(server.id())?,
        nginx_resident: resident(nginx.worker())?,
    };
    nginx.stop().await?;
    if options.target.json {
        return json(&report);
    }
    let mib = |kib: u64| kib as f64 / 1024.0;
    Ok(format!(
        "{}\n{}resident afterwards: tropos {:.1} MiB, nginx's worker {:.1} MiB\n",
        report.load,
        table::show(&report.rows),
        mib(report.tropos_resident),
        mib(report.nginx_resident),
    ))
}

async fn subjects(client: &tropos_cases::client::Client) -> Result<Vec<Subject>, Problem> {
    let subject = |name, path: &str, beside| Subject { name, path: path.to_owned(), beside };
    let mut subjects = vec![
        subject("isr hit", "/demand/bench", true),
        subject("ssg hit", "/ssg/one", true),
        subject("server page", "/server/bench", false),
    ];
    // The script of the page with an island: its name is a hash.
    let island = client.get("/island").await?;
    let text = String::from_utf8_lossy(&island.body).into_owned();
    let script = text.split('"').find(|part| part.starts_with("/_tropos/assets/") && part.ends_with(".js"));
    if let Some(script) = script {
        subjects.insert(2, subject("asset", script, true));
    }
    Ok(subjects)
}
