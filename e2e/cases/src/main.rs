//! `cases`: runs the cases against a fixture, serves a build's data source, measures prerendering.

use clap::{Args, Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};
use tokio::process::Command;
use tropos_cases::{
    cases::{self, Case},
    check::{Outcome, Problem},
    client::Client,
    context::{TOKEN, World},
    prerender, run,
    server::{Server, Settings},
    upstream::Upstream,
};

const FIXTURE: &str = "e2e/fixture/dist/tropos-fixture";

/// Drives the fixture application through HTTP alone and holds it to the contract.
#[derive(Debug, Parser)]
#[command(name = "cases", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Other>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Args)]
struct Run {
    /// The fixture's server, which the runner starts and restarts.
    #[arg(long, default_value = FIXTURE)]
    server: PathBuf,
    /// A server that is running already, in place of --server: http://HOST:PORT.
    #[arg(long, requires_all = ["upstream", "token"])]
    base: Option<String>,
    /// Where the runner is to listen as that server's UPSTREAM_URL: HOST:PORT.
    #[arg(long)]
    upstream: Option<String>,
    /// That server's TROPOS_REVALIDATE_TOKEN.
    #[arg(long)]
    token: Option<String>,
    /// Cases that run at once.
    #[arg(long, default_value_t = 8)]
    jobs: usize,
    /// Shows the cases and runs none.
    #[arg(long)]
    list: bool,
    /// Runs only cases with this number, or with this text in their name.
    filter: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// Runs a command with UPSTREAM_URL naming a data source with the default lists.
    Upstream {
        /// Where the data source listens.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: String,
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Prints how many pages a second the fixture prerenders.
    Prerender {
        /// The number of pages.
        #[arg(long, default_value_t = 5000)]
        pages: usize,
        /// The fixture's server.
        #[arg(long, default_value = FIXTURE)]
        server: PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = match cli.command {
        None => run_cases(cli.run).await,
        Some(Other::Upstream { listen, command }) => with_upstream(&listen, &command).await,
        Some(Other::Prerender { pages, server }) => {
            prerender::measure(&server, pages).await.map(|measured| {
                let (seconds, rate) = (measured.elapsed.as_secs_f64(), measured.rate());
                println!("the server: {}", measured.said);
                let pages = measured.pages;
                println!("{pages} pages in {seconds:.2} s with its start and end: {rate:.0} pages a second");
                ExitCode::SUCCESS
            })
        }
    };
    ended.unwrap_or_else(|problem| {
        eprintln!("{problem}");
        ExitCode::FAILURE
    })
}

async fn run_cases(options: Run) -> Result<ExitCode, Problem> {
    let chosen: Vec<_> = cases::all().filter(|case| case.matches(&options.filter)).collect();
    if options.list {
        chosen.iter().for_each(|case| println!("{}", case.title()));
        return Ok(ExitCode::SUCCESS);
    }
    // Kept to the end: dropping it ends the server.
    let (world, _server) = match options.base {
        Some(base) => {
            let upstream = Upstream::start(&options.upstream.unwrap_or_default()).await?;
            (World::new(Client::new(&base)?, upstream, options.token.unwrap_or_default(), None), None)
        }
        None => {
            let upstream = Upstream::start("127.0.0.1:0").await?;
            let server = Server::start(Settings {
                binary: options.server.clone(),
                upstream_url: upstream.url(),
                token: Some(TOKEN.into()),
                extra: Vec::new(),
            })
            .await?;
            (World::new(server.http(), upstream, TOKEN.into(), Some(options.server)), Some(server))
        }
    };
    let summary = run::run(Arc::new(world), &chosen, options.jobs, tell).await;
    println!("{summary}");
    Ok(if summary.failed == 0 && summary.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(case: &Case, outcome: &Outcome, elapsed: Duration) {
    let (title, seconds) = (case.title(), elapsed.as_secs_f64());
    match outcome {
        Ok(()) => println!("ok       {seconds:5.2} s  {title}"),
        Err(Problem::Skipped(why)) => println!("skipped  {seconds:5.2} s  {title}: {why}"),
        Err(Problem::Failed(why)) => {
            println!("FAILED   {seconds:5.2} s  {title}\n  {}", why.replace('\n', "\n  "));
        }
    }
}

async fn with_upstream(listen: &str, command: &[String]) -> Result<ExitCode, Problem> {
    let upstream = Upstream::start(listen).await?;
    let Some((program, arguments)) = command.split_first() else {
        return Err(Problem::Failed("no command was given".into()));
    };
    let status = Command::new(program)
        .args(arguments)
        .env("UPSTREAM_URL", upstream.url())
        .status()
        .await
        .map_err(|error| Problem::Failed(format!("{program}: {error}")))?;
    // A command that a signal ended has no code of its own.
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
