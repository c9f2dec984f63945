//! The server of the pages that `hooks` and `telemetry` measure, in a process of its own.

use leptos::prelude::*;
use std::{fs, process::Stdio, sync::Arc};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, ChildStdin, ChildStdout, Command},
};
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};
use tropos::{
    App, Db, PageResult, Variant,
    edge::{
        Decision, Hooks, Reply, VariantName as _, hook,
        ready::{
            experiment::Experiment,
            redirects::{Redirects, Rule},
            security::SecurityHeaders,
        },
    },
    page,
    prelude::*,
};
use tropos_cases::check::{Problem, fail};
use tropos_core::SystemClock;
use tropos_server::{Config, Site};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The hooks in front of the page
    hooks: Vec<String>,
    /// Tells a collector at this address of every request
    #[arg(long)]
    collector: Option<String>,
}

/// The five hooks.
pub(crate) const NAMES: [&str; 5] = ["security", "experiment", "country", "redirects", "guard"];

tropos::edge::variant! { enum Ab: "ab" { A = "a", B = "b" } }

/// The page is of some 11 kB, as that of `hit`.
const TEXT: usize = 10_600;

#[page("/page", isr(revalidate = "never", variants = Ab))]
async fn Measured(Variant(side): Variant<Ab>) -> PageResult {
    view! { <main>{side.as_str()}</main><p>{"b".repeat(TEXT)}</p> }.into_page()
}

/// A page of the same size, rendered for each request.
#[page("/rendered", server)]
async fn Rendered() -> PageResult {
    view! { <p>{"b".repeat(TEXT)}</p> }.into_page()
}

/// The same with one query, of the cheapest sort that there is.
#[page("/queried", server)]
async fn Queried(db: Db) -> PageResult {
    let number: i64 = sqlx::query_scalar("select 3").fetch_one(db.read()).await?;
    view! { <p>{number}{"b".repeat(TEXT)}</p> }.into_page()
}

fn hooks(names: &[String]) -> Result<Hooks, Problem> {
    names.iter().try_fold(Hooks::new(), |hooks, name| {
        Ok(match name.as_str() {
            // The same for all.
            "security" => hooks.hook(SecurityHeaders::new()),
            // By a cookie, which the visitor has.
            "experiment" => hooks.hook(Experiment::<Ab>::new()),
            // By a header that a CDN sets.
            "country" => hooks.hook(hook("country", |request, edits| {
                match request.header("cf-ipcountry") {
                    Some("XX" | "T1") | None => edits.response_headers().set("x-country", "unknown"),
                    Some(_) => {}
                }
                Decision::Next
            })),
            // By a table of 100 rules, none of which is for the page.
            "redirects" => {
                let old = (0..90).map(|number| Rule::new(&format!("/old/{number}"), "/page").permanent());
                let items = (0..10).map(|number| Rule::new(&format!("/items-{number}/:id"), "/page"));
                hooks.hook(Redirects::new(old.chain(items)))
            }
            // By a cookie.
            "guard" => hooks.hook(hook("guard", |request, _| match request.cookie("session") {
                Some("good") => Decision::Next,
                _ => Reply::text(401, "sign in first").into(),
            })),
            other => return fail(format!("`{other}` is none of the hooks: {}", NAMES.join(", "))),
        })
    })
}

/// Serves until standard input ends.
///
/// # Errors
/// Where the application does not start.
pub(crate) async fn run(options: &Options) -> Result<String, Problem> {
    let failed = |error: &dyn std::fmt::Display| Problem::Failed(error.to_string());
    let app = App::new().hooks(hooks(&options.hooks)?).pages(tropos::routes![Measured, Rendered, Queried]);
    // Without migrations it has no database.
    let app = app.migrations(sqlx::migrate::Migrator::with_migrations(Vec::new()));
    let mut config = Config::default();
    // Hits are learnt in production alone.
    config.production = true;
    config.allowed_hosts = Some(vec!["127.0.0.1".to_owned()]);
    config.database = tropos_db::Config::new("sqlite::memory:");
    if let Some(collector) = &options.collector {
        let variable = |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| collector.clone());
        config.telemetry = tropos_telemetry::Config::read("bench", variable);
    }
    // As the server's own logging has it, without lines.
    let recording = tropos_telemetry::trace::layer(config.telemetry.records());
    tracing_subscriber::registry().with(recording).try_init().map_err(|error| failed(&error))?;
    let site =
        Site::open(app, config, None, Arc::new(SystemClock::new())).await.map_err(|error| failed(&error))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let until = async { drop(tokio::io::stdin().read(&mut [0]).await) };
    site.serve_on(listener, until).await.map_err(|error| failed(&error))?;
    Ok(String::new())
}

/// A server that runs, and ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Started {
    child: Child,
    /// Its end is the server's.
    stdin: Option<ChildStdin>,
    /// Where it writes its last word.
    _stdout: Option<BufReader<ChildStdout>>,
    url: String,
}

impl Started {
    /// Starts one with these arguments.
    pub(crate) async fn start(arguments: &[&str]) -> Result<Self, Problem> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("pages-server")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut url = String::new();
        let mut stdout = child.stdout.take().map(BufReader::new);
        if let Some(stdout) = &mut stdout {
            stdout.read_line(&mut url).await?;
        }
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, _stdout: stdout, url: url.trim().to_owned() })
    }

    /// Its origin.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// For how long its threads have had a processor, in microseconds; not a number where the system does not tell (Linux does).
    pub(crate) fn worked_us(&self) -> f64 {
        let tasks = self.child.id().and_then(|id| fs::read_dir(format!("/proc/{id}/task")).ok());
        let times = tasks.into_iter().flatten().flatten().filter_map(|task| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<f64>().ok()
        });
        times.reduce(|all, one| all + one).map_or(f64::NAN, |nanoseconds| nanoseconds / 1000.0)
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) -> Result<(), Problem> {
        drop(self.stdin.take());
        self.child.wait().await?;
        Ok(())
    }
}
