//! The program of an application: its commands, listeners and end.

mod admin;
mod front;
mod listener;
mod logs;
mod metrics;
mod parent;
mod plain;
mod public;
mod stop;

use stop::Stop;

use crate::{App, Config, Dist, Error, Site, build, database};
use std::{process::ExitCode, sync::Arc};
use tropos_core::SystemClock;

/// What the program was told to do.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Command {
    Serve,
    /// Makes the pages of a build, into the folder if one is given, else beside the program.
    Prerender(build::Options),
    /// Writes the `ssg` pages of the build as plain files into the folder.
    Export(std::path::PathBuf),
    Routes,
    /// Something to do with the database, without serving.
    Database(database::Task),
}

impl Command {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, Error> {
        let arguments: Vec<String> = arguments.collect();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        if let Some(task) = database::Task::parse(&words) {
            return Ok(Self::Database(task));
        }
        match words.as_slice() {
            [] | ["serve"] => Ok(Self::Serve),
            ["prerender", rest @ ..] => {
                let out = rest.iter().position(|word| *word == "--out").and_then(|at| rest.get(at + 1));
                Ok(Self::Prerender(build::Options {
                    out: out.map(Into::into),
                    keep_going: rest.contains(&"--keep-going"),
                    measure: rest.contains(&"--measure"),
                    json: rest.contains(&"--json"),
                }))
            }
            ["export", "--out", out] => Ok(Self::Export(out.into())),
            ["routes"] | ["routes", "--json"] => Ok(Self::Routes),
            _ => Err(Error::Command(words.join(" "))),
        }
    }
}

impl Site {
    /// Serves on a listener of one's own until `until` is ready, and then lets running answers finish: for tests, and for
    /// programs that do more than serve. Neither signals nor the admin listener are part of it.
    ///
    /// # Errors
    /// [`Error::Io`] where the system gives no thread or the listener cannot be used.
    pub async fn serve_on(
        self: Arc<Self>,
        listener: tokio::net::TcpListener,
        until: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        public::serve(self, listener, until, || {}).await
    }
}

/// The `main` of an application: serves it, or does what the command line says.
///
/// | command | does |
/// |---|---|
/// | none, `serve` | serves until SIGTERM or ctrl-c |
/// | `prerender [--out DIR] [--keep-going] [--measure] [--json]` | makes the pages of a build; with `--measure` it weighs them, with `--json` it prints what became of them |
/// | `export --out DIR` | writes the `ssg` pages of the build beside it as plain files, and prints their list as JSON |
/// | `routes` | prints the routes as JSON |
/// | `db migrate`, `db status`, `db seed`, `db reset --yes` | looks after the database, and prints what it did or found as JSON; `status` fails where something is pending |
/// | `doctor [--instances N]` | says what is wrong with the database, how the application is configured and whether the shared store answers, as JSON; fails where the database has a problem |
///
/// ```no_run
/// use std::process::ExitCode;
/// fn main() -> ExitCode {
///     tropos_server::main(tropos_server::App::new())
/// }
/// ```
pub fn main(app: App) -> ExitCode {
    let run = || {
        let command = Command::parse(std::env::args().skip(1))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(run(app, command))
    };
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(app: App, command: Command) -> Result<ExitCode, Error> {
    let mut config = Config::load()?;
    let dist = Dist::beside_executable()?;
    config.production = dist.is_some();
    if config.production {
        config.dev = None;
    }
    match command {
        Command::Serve => {
            logs::start(&config);
            for problem in &config.telemetry.problems {
                tracing::warn!(%problem, "a variable of telemetry is left out");
            }
            let listeners = listener::Listeners::bind(&mut config).await?;
            let site = Site::open(app, config, dist, Arc::new(SystemClock::new())).await?;
            listener::serve(site, listeners).await?;
        }
        Command::Prerender(options) => {
            config.log = "warn".to_owned();
            logs::start(&config);
            let json = options.json;
            let made = build::prerender(app, config, dist, options).await?;
            let well = made.failures.is_empty();
            match json {
                true => print_json(&made)?,
                false if !well => return Err(Error::Prerender(made.failures)),
                false => {}
            }
            return Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Export(out) => {
            config.log = "warn".to_owned();
            logs::start(&config);
            print_json(&build::export(app, config, dist, &out).await?)?;
        }
        Command::Routes => println!("{}", admin::routes_json(&app.configured(&config))?),
        Command::Database(task) => {
            config.log = crate::database::LOG.to_owned();
            logs::start(&config);
            let done = task.run(&app.configured(&config), &config).await?;
            println!("{:#}", done.report);
            return Ok(if done.well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_json(value: &impl serde::Serialize) -> Result<(), Error> {
    println!("{}", serde_json::to_string(value).map_err(|error| Error::Io(error.into()))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_few_and_a_wrong_one_is_named() {
        let parse = |line: &str| Command::parse(line.split_whitespace().map(str::to_owned));
        assert_eq!(parse("").ok(), Some(Command::Serve));
        assert_eq!(parse("prerender").ok(), Some(Command::Prerender(build::Options::default())));
        let options = build::Options { out: Some("x".into()), keep_going: true, ..build::Options::default() };
        assert_eq!(parse("prerender --out x --keep-going").ok(), Some(Command::Prerender(options.clone())));
        assert_eq!(
            parse("prerender --out x --keep-going --measure --json").ok(),
            Some(Command::Prerender(build::Options { measure: true, json: true, ..options }))
        );
        assert_eq!(parse("export --out x").ok(), Some(Command::Export("x".into())));
        assert!(matches!(parse("db status").ok(), Some(Command::Database(_))));
        for wrong in ["sevre", "db drop", "db", "export"] {
            assert!(parse(wrong).unwrap_err().to_string().contains(&format!("unknown command `{wrong}`")));
        }
    }
}
