//! `cargo xtask bench`: builds the fixture for release and measures it beside nginx; or the data layer beside plain sqlx;
//! or the dev server beside that of Next.js.

use crate::{Error, dev_server, machine, steps::Steps};
use std::process::ExitCode;

const PACKAGE: &str = "tropos-bench";

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Measure the fixture as it was built last
    #[arg(long)]
    no_build: bool,
    /// What to measure, and how: `hit`, `steady`, `hooks`, `telemetry`, `db`, `dev`, with their options; `hit` by default
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Installs what measuring needs, builds, measures.
///
/// # Errors
/// Whatever a step met. A slow result is a result.
pub(crate) fn run(options: &Options, steps: &Steps) -> Result<ExitCode, Error> {
    if let Some((first, arguments)) = options.arguments.split_first()
        && first == "dev"
    {
        return dev(arguments, steps);
    }
    // The data layer is in the program that measures it: no fixture, and no load from outside.
    let is = |name: &str| options.arguments.first().is_some_and(|first| first == name);
    match is("db") {
        true => machine::for_measuring_the_database(steps)?,
        false => machine::for_measuring(steps)?,
    }
    // The pages behind hooks and with telemetry are in that program too.
    if !options.no_build && !["db", "hooks", "telemetry"].into_iter().any(is) {
        let mut fixture = steps.cargo();
        // The data source of the cases is the fixture's while it is built.
        fixture.args(["run", "--package", "tropos-cases", "--", "upstream", "--"]);
        let cargo = steps.cargo();
        fixture.arg(cargo.get_program()).args(["xtask", "fixture"]);
        steps.run(&mut fixture)?;
    }
    let mut bench = steps.cargo();
    bench.args(["run", "--release", "--package", PACKAGE, "--"]);
    match options.arguments.as_slice() {
        [] => bench.arg("hit"),
        // `bench --json` is `bench hit --json`.
        [first, ..] if first.starts_with('-') => bench.arg("hit").args(&options.arguments),
        arguments => bench.args(arguments),
    };
    steps.say(&crate::steps::shown(&bench));
    // Its output is the result, so it goes to standard output.
    let status = bench.status().map_err(|source| Error::Run { program: PACKAGE.into(), source })?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Edits of the same pages under both dev servers. Next.js is installed beside what else comes from npm; no test needs it.
fn dev(arguments: &[String], steps: &Steps) -> Result<ExitCode, Error> {
    machine::for_tests(steps)?;
    machine::node_modules(steps, &steps.root.join("e2e/browser"))?;
    let program = dev_server::program(steps)?;
    let mut node = steps.command("node");
    node.arg(steps.root.join("e2e/dev/bench.mjs")).args(arguments);
    dev_server::environment(steps, &program, &mut node);
    steps.say(&crate::steps::shown(&node));
    let status = node.status().map_err(|source| Error::Run { program: "node".into(), source })?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
