//! `cargo xtask test`: everything that must hold before a change lands.

mod count;

use crate::{
    Error, machine,
    steps::{Steps, clock, shown},
    tidy,
};
use count::Count;
use std::{
    fmt,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Install nothing: what is missing fails where it is needed
    #[arg(long)]
    no_install: bool,
    /// Only the phases with these names
    #[arg(value_name = "PHASE")]
    only: Vec<String>,
}

/// What a phase came to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// A check that holds or does not.
    Checked(bool),
    /// A runner that counted.
    Counted { count: Count, succeeded: bool },
    /// Not run, for this reason.
    Skipped(String),
}

impl Outcome {
    /// A runner that succeeds without having run anything has not shown anything.
    fn holds(&self) -> bool {
        match self {
            Outcome::Checked(holds) => *holds,
            Outcome::Counted { count, succeeded } => *succeeded && count.failed == 0 && count.passed > 0,
            Outcome::Skipped(_) => false,
        }
    }
}

impl Outcome {
    /// The sums in the form that machines read: `120 passed, 0 failed`.
    fn sums(&self) -> String {
        let count = match self {
            Outcome::Checked(holds) => Count { passed: u64::from(*holds), failed: u64::from(!holds) },
            // A runner that fails without a failed test has failed as a whole.
            Outcome::Counted { count, succeeded: false } => Count { failed: count.failed.max(1), ..*count },
            Outcome::Counted { count, .. } => *count,
            Outcome::Skipped(_) => Count { passed: 0, failed: 1 },
        };
        format!("{} passed, {} failed", count.passed, count.failed)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Checked(true) => f.write_str("1 passed, 0 failed"),
            Outcome::Checked(false) => f.write_str("0 passed, 1 failed"),
            Outcome::Counted { count, succeeded } => {
                let unexplained =
                    if !succeeded && count.failed == 0 { " (the runner itself failed)" } else { "" };
                write!(f, "{} passed, {} failed{unexplained}", count.passed, count.failed)
            }
            Outcome::Skipped(why) => write!(f, "0 passed, 1 failed (not run: {why})"),
        }
    }
}

struct Phase {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

/// What tests drive is built as for deployment but for how hard the compiler tries, which takes half of the time and changes nothing that they
/// look at. Measurements and the demo build it whole; what goes to browsers and to the edge always is.
const QUICK: [(&str, &str); 2] =
    [("CARGO_PROFILE_RELEASE_LTO", "off"), ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")];

/// Tests of Workers, in workerd.
const EDGE: &str = "e2e/edge";

/// The application that uses every hook, and the table that it is held to.
const HOOKS: &str = "e2e/hooks";

/// Runs all phases, also after one that fails, and sums up.
///
/// # Errors
/// Where something cannot be installed.
pub(crate) fn run(options: &Options, steps: &Steps) -> Result<ExitCode, Error> {
    if !options.no_install {
        steps.say("installing what is missing");
        machine::wasm_target(steps)?;
        machine::for_tests(steps)?;
        machine::install_wasm_opt(steps)?;
        machine::node_modules(steps, &browser(steps))?;
        machine::node_modules(steps, &steps.root.join("e2e/cache-suite"))?;
        machine::node_modules(steps, &steps.root.join(EDGE))?;
    }
    let mut runner = Runner { steps, only: &options.only, phases: Vec::new() };
    let has_nextest = crate::steps::ask(steps.cargo().args(["nextest", "--version"])).is_some();

    runner.check("fmt", steps.cargo().args(["fmt", "--all", "--check"]));
    runner.check(
        "clippy",
        steps.cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    );
    runner.check(
        "doc",
        steps.cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"),
    );
    runner.phase("tidy", || {
        Outcome::Checked(matches!(tidy::problems(steps), Ok(problems) if tidy::report(&problems)))
    });
    let mut tests = steps.cargo();
    if has_nextest {
        tests.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
    } else {
        tests.args(["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests", "--examples"]);
    }
    runner.count("unit and integration", &mut tests);
    runner.count("doc tests", steps.cargo().args(["test", "--workspace", "--doc", "--no-fail-fast"]));
    // What caches are compared by: an origin and a client of its own, and the proxy between them.
    runner.count("cache suite", steps.cargo().args(["run", "--package", "tropos-cache-suite"]));
    // The data source of the cases is the fixture's while it is built.
    let mut fixture = steps.cargo();
    fixture.args(["run", "--package", "tropos-cases", "--", "upstream", "--"]);
    let xtask = own(steps);
    fixture.arg(xtask.get_program()).args(xtask.get_args()).envs(QUICK);
    let has_fixture = runner.check("fixture", fixture.arg("fixture"));
    if has_fixture {
        runner.count("cases", steps.cargo().args(["run", "--package", "tropos-cases"]));
        // The fixture's Worker in workerd, in front of the fixture's server.
        let mut edge = steps.command("node");
        edge.args(["--test", "--test-reporter=spec"]);
        edge.args(["script.test.mjs", "adapter.test.mjs"].map(|file| steps.root.join(EDGE).join(file)));
        runner.count("edge", &mut edge);
        // Printed, not judged: how fast it is depends on the machine.
        let mut prerender = steps.cargo();
        prerender.args(["run", "--package", "tropos-cases", "--", "prerender", "--pages", "5000"]);
        runner.check("prerender", &mut prerender);
    } else {
        runner.phase("cases", || Outcome::Skipped("the fixture was not built".into()));
    }
    hooks(&mut runner);
    runner.check("storefront", own(steps).args(["demo", "--build-only"]).envs(QUICK));
    // What the tests of the dev server's scripts look at: a program of development, and patches as they are really made.
    runner.check("programs of development", steps.cargo().args(["build", "--package", "storefront"]));
    let mut patch = steps.cargo();
    runner.check("patches", patch.args(["build", "--package", "tropos-dev", "--example", "patch"]));
    let mut node = steps.command("node");
    node.env("DEV_APP", built("storefront")).env("DEV_PATCH", built("examples/patch"));
    runner.count("browser", node.args(["--test", "--test-reporter=spec"]).args(tests_in(&browser(steps))));
    dev(&mut runner);
    Ok(runner.sum_up())
}

/// One table of requests and answers, held to by the server and by its Worker in workerd in front of it.
fn hooks(runner: &mut Runner<'_>) {
    let steps = runner.steps;
    runner.phase("hooks", || {
        let out = steps.root.join(HOOKS).join("dist");
        let made = crate::fixture::build(steps, "tropos-hooks", &out, &[], &["--debug", "--edge", "workers"]);
        let table = ["run", "--package", "tropos-hooks", "--example", "table"];
        match made.and_then(|()| counted(steps, steps.cargo().args(table))) {
            Ok((count, succeeded)) => Outcome::Counted { count, succeeded },
            Err(error) => Outcome::Skipped(error.to_string()),
        }
    });
}

/// `new` and `dev` as a person sees them. Last, since the command and most crates are compiled by then.
fn dev(runner: &mut Runner<'_>) {
    let steps = runner.steps;
    let mut node = steps.command("node");
    node.args(["--test", "--test-reporter=spec"]).args(tests_in(&steps.root.join("e2e/dev")));
    runner.phase("dev", || {
        let program = match crate::dev_server::program(steps) {
            Ok(program) => program,
            Err(error) => return Outcome::Skipped(error.to_string()),
        };
        crate::dev_server::environment(steps, &program, &mut node);
        match counted(steps, &mut node) {
            Ok((count, succeeded)) => Outcome::Counted { count, succeeded },
            Err(error) => Outcome::Skipped(error.to_string()),
        }
    });
}

/// This program.
fn own(steps: &Steps) -> Command {
    match std::env::current_exe() {
        Ok(own) => steps.command(own),
        Err(_) => {
            let mut cargo = steps.cargo();
            cargo.arg("xtask");
            cargo
        }
    }
}

/// What cargo has built beside this program.
fn built(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.parent().map(|folder| folder.join(name)).unwrap_or_default()
}

struct Runner<'a> {
    steps: &'a Steps,
    only: &'a [String],
    phases: Vec<Phase>,
}

impl Runner<'_> {
    /// Runs a phase, unless other ones were asked for; whether it holds.
    fn phase(&mut self, name: &'static str, work: impl FnOnce() -> Outcome) -> bool {
        if !self.only.is_empty() && !self.only.iter().any(|wanted| wanted == name) {
            return true;
        }
        self.steps.say(&format!("== {name}"));
        let start = self.steps.elapsed();
        let outcome = work();
        let took = self.steps.elapsed().saturating_sub(start);
        self.steps.say(&format!("== {name}: {outcome}, {}", clock(took)));
        let holds = outcome.holds();
        self.phases.push(Phase { name, outcome, took });
        holds
    }

    fn check(&mut self, name: &'static str, command: &mut Command) -> bool {
        let steps = self.steps;
        self.phase(name, || match steps.run(command) {
            Ok(()) => Outcome::Checked(true),
            Err(error) => {
                eprintln!("{error}");
                Outcome::Checked(false)
            }
        })
    }

    fn count(&mut self, name: &'static str, command: &mut Command) -> bool {
        let steps = self.steps;
        self.phase(name, || match counted(steps, command) {
            Ok((count, succeeded)) => Outcome::Counted { count, succeeded },
            Err(error) => Outcome::Skipped(error.to_string()),
        })
    }

    fn sum_up(self) -> ExitCode {
        let holds = !self.phases.is_empty() && self.phases.iter().all(|phase| phase.outcome.holds());
        println!("\n{}", summary(&self.phases));
        for phase in &self.phases {
            println!("{}: {}", phase.name.replace(' ', "-"), phase.outcome.sums());
        }
        println!(
            "{} after {}",
            if holds { "all of it holds" } else { "something failed" },
            clock(self.steps.elapsed())
        );
        if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// A line for each runner.
fn summary(phases: &[Phase]) -> String {
    let width = phases.iter().map(|phase| phase.name.len()).max().unwrap_or(0);
    let line = |phase: &Phase| {
        let mark = if phase.outcome.holds() { "ok  " } else { "FAIL" };
        format!("{mark} {:<width$}  {}  {}", phase.name, clock(phase.took), phase.outcome)
    };
    phases.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Runs a test runner, shows what it prints, and reads its sums from it.
fn counted(steps: &Steps, command: &mut Command) -> Result<(Count, bool), Error> {
    let program = shown(command);
    steps.say(&program);
    let run = |source| Error::Run { program: program.clone(), source };
    let (reader, writer) = std::io::pipe().map_err(run)?;
    // Runners differ in where they print their sums: cargo's to standard output, nextest's to standard error.
    command.stdout(writer.try_clone().map_err(run)?).stderr(writer);
    let mut child = command.spawn().map_err(run)?;
    // The pipe ends when the last writer goes, and the command holds two.
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut count = Count::default();
    let mut lines = BufReader::new(reader);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).map_err(run)? > 0 {
        let _ = std::io::stderr().write_all(&line);
        count.read(&String::from_utf8_lossy(&line));
        line.clear();
    }
    let status = child.wait().map_err(run)?;
    Ok((count, status.success()))
}

fn browser(steps: &Steps) -> PathBuf {
    steps.root.join("e2e/browser")
}

fn tests_in(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(name: &'static str, outcome: Outcome) -> Phase {
        Phase { name, outcome, took: Duration::from_secs(3) }
    }

    #[test]
    fn each_runner_has_a_line_with_its_sums() {
        let phases = [
            phase("fmt", Outcome::Checked(true)),
            phase("cases", Outcome::Counted { count: Count { passed: 40, failed: 2 }, succeeded: false }),
            phase("browser", Outcome::Counted { count: Count { passed: 0, failed: 0 }, succeeded: false }),
        ];
        let expected = "\
ok   fmt      00:03  1 passed, 0 failed
FAIL cases    00:03  40 passed, 2 failed
FAIL browser  00:03  0 passed, 0 failed (the runner itself failed)";
        assert_eq!(summary(&phases), expected);
    }

    #[test]
    fn the_sums_of_a_runner_that_broke_down_hold_a_failure() {
        let count = Count { passed: 7, failed: 0 };
        assert_eq!(Outcome::Counted { count, succeeded: true }.sums(), "7 passed, 0 failed");
        assert_eq!(Outcome::Counted { count, succeeded: false }.sums(), "7 passed, 1 failed");
        assert_eq!(Outcome::Checked(false).sums(), "0 passed, 1 failed");
    }

    #[test]
    fn a_runner_that_counts_a_failure_has_not_succeeded_whatever_it_returned() {
        let lying = Outcome::Counted { count: Count { passed: 1, failed: 1 }, succeeded: true };
        assert!(!lying.holds());
        let idle = Outcome::Counted { count: Count::default(), succeeded: true };
        assert!(!idle.holds(), "nothing was shown");
        assert!(!Outcome::Skipped("no fixture".into()).holds());
    }

    #[test]
    fn what_a_runner_prints_on_either_stream_is_counted() {
        let steps = Steps::new();
        let mut command = steps.command("sh");
        command.args(["-c", "echo 'test result: ok. 3 passed; 0 failed; 0 ignored'; echo 'test result: FAILED. 1 passed; 2 failed' >&2; exit 1"]);
        assert_eq!(counted(&steps, &mut command).unwrap(), (Count { passed: 4, failed: 2 }, false));
    }
}
