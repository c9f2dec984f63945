//! `cargo tropos doctor`: what is wrong, with the command or setting that mends it.
//!
//! | file | holds |
//! |---|---|
//! | `facts` | what there is to know: plain data |
//! | `probe`, `ports` | looking at the machine and asking the application's program |
//! | `judge` | what follows from the facts (pure) |
//! | `finding` | one thing that was looked at, and the report |
//!
//! The application's program looks at its database, its configuration and its shared store: only it has the clients.

mod facts;
mod finding;
mod judge;
mod ports;
mod probe;

use crate::{
    Error, args, interrupt, program,
    project::Project,
    terminal::{self, Terminal},
};
use facts::Settings;
use finding::{Finding, Findings};
use std::{
    path::Path,
    process::{Command, ExitCode, Stdio},
};

/// Looks at everything, and fails where there is a problem.
///
/// # Errors
/// Where it cannot be told which application is meant, or its program is of another version.
pub(crate) fn run(options: &args::Doctor, terminal: &Terminal) -> Result<ExitCode, Error> {
    let mut all = look(options, terminal)?;
    if options.fix && mend(&all, options, terminal)? {
        all = look(options, terminal)?;
    }
    match options.json {
        true => terminal::print(&json(&all)?),
        false => {
            terminal::print(&all.report(terminal.color_out));
            if !options.fix && !all.fixes().is_empty() {
                let fixes: Vec<_> = all.fixes().into_iter().map(|words| words.join(" ")).collect();
                terminal::print(&format!("  cargo tropos doctor --fix runs: {}\n", fixes.join("; ")));
            }
        }
    }
    Ok(if all.has_problem() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn look(options: &args::Doctor, terminal: &Terminal) -> Result<Findings, Error> {
    let here = std::env::current_dir().map_err(Error::file("finding", "."))?;
    let project = project(options, &here)?;
    let (directory, target) = match &project {
        Some(project) => (project.directory.as_path(), Some(project.target.as_path())),
        None => (here.as_path(), None),
    };
    let machine = probe::machine(directory, target);
    let mut findings = judge::machine(&machine);
    let of_machine = findings.len();
    let mut production = false;
    if let Some(project) = &project {
        findings.extend(judge::application(&probe::application(project)));
        // Without these nothing compiles, and cargo's own words about it would say less.
        let compiles = machine.rustc.is_some() && machine.cc.is_some();
        if !options.machine && (compiles || project.server().is_file()) {
            production = program(options, project, terminal, &mut findings)?;
        }
    } else if !options.machine {
        let none = Finding::note(
            "application",
            "none",
            "there is no Cargo.toml here or above: only the machine was looked at",
        );
        findings.push(none.mend("go into the application's folder"));
    }
    if let Some(limit) = machine.files {
        // It belongs to the machine, and how bad it is to the application.
        findings.insert(of_machine, judge::open_files(limit, production));
    }
    Ok(Findings { findings })
}

/// Which application, where there is one and it is wanted.
fn project(options: &args::Doctor, here: &Path) -> Result<Option<Project>, Error> {
    let named = &options.program.project;
    let is_named = named.manifest_path.is_some() || named.package.is_some();
    if !is_named && !here.ancestors().any(|folder| folder.join("Cargo.toml").is_file()) {
        return Ok(None);
    }
    match Project::find(named) {
        Err(_) if options.machine && !is_named => Ok(None),
        found => found.map(Some),
    }
}

/// What the application's program says; returns whether it is one for production.
fn program(
    options: &args::Doctor,
    project: &Project,
    terminal: &Terminal,
    findings: &mut Vec<Finding>,
) -> Result<bool, Error> {
    let program = match program::at_hand(project, options.program.dev, terminal) {
        Ok(program) => program,
        Err(error) => {
            let name = project.name.as_str();
            findings.push(
                Finding::problem("application", name, format!("does not compile: {error}"))
                    .mend(format!("mend what cargo names: cargo check -p {name}")),
            );
            return Ok(false);
        }
    };
    let said = match probe::ask(project, &program, options.instances)? {
        Ok(said) => said,
        Err(why) => {
            findings.push(
                Finding::problem("settings", "tropos.toml", why).mend("mend it there, or in the environment"),
            );
            return Ok(false);
        }
    };
    if let Some(it) = &said.settings {
        findings.extend(settings(it, project));
    }
    findings.extend(said.redis.iter().flat_map(judge::redis));
    findings.extend(said.findings);
    Ok(said.settings.is_some_and(|it| it.production))
}

fn settings(it: &Settings, project: &Project) -> Vec<Finding> {
    let mut findings = judge::settings(it);
    let own = project.binary();
    for (variable, address) in [("TROPOS_ADDR", &it.addr), ("TROPOS_ADMIN_ADDR", &it.admin_addr)] {
        findings.push(judge::port(variable, address, &ports::look(address), &own));
    }
    findings.extend(judge::cache_folder(&probe::folder(project, &it.cache_dir), it.cache_disk_bytes));
    findings
}

/// Runs what mends and does no harm, showing each command first; returns whether there was something to run.
fn mend(all: &Findings, options: &args::Doctor, terminal: &Terminal) -> Result<bool, Error> {
    let here = std::env::current_dir().map_err(Error::file("finding", "."))?;
    let directory = project(options, &here)?.map_or(here, |project| project.directory);
    for words in all.fixes() {
        let [program, arguments @ ..] = words else { continue };
        terminal.note(format_args!("running `{}`", words.join(" ")));
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&directory).stdin(Stdio::null());
        // What it prints is no part of the report.
        command.stdout(std::io::stderr());
        match interrupt::status(&mut command) {
            Ok(status) if status.success() => {}
            Ok(status) => {
                terminal.note(format_args!("`{program}` failed ({status}); what it printed is above"))
            }
            Err(error) => terminal.note(format_args!("`{program}` could not be run: {error}")),
        }
    }
    Ok(!all.fixes().is_empty())
}

fn json(all: &Findings) -> Result<String, Error> {
    let what = || "the findings".to_owned();
    let text = serde_json::to_string_pretty(all).map_err(|source| Error::Json { what: what(), source })?;
    Ok(format!("{text}\n"))
}
