//! `cargo xtask demo`: the storefront, on a machine with Rust and nothing else.

use crate::{Error, fixture, machine, steps::Steps};
use std::{
    net::{Ipv4Addr, TcpListener},
    process::{Command, ExitCode},
};

const PACKAGE: &str = "storefront";
/// Below the repository's root.
const FOLDER: &str = "examples/storefront";
/// On this machine, whatever a person's own environment names.
const DATABASE: (&str, &str) = ("DATABASE_URL", "sqlite://.tropos/app.db");

/// Where a person expects a development server.
const PORT: u16 = 3000;
/// Ports that are tried before giving up.
const TRIES: u16 = 50;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Build, and serve nothing
    #[arg(long)]
    build_only: bool,
}

/// Installs, builds, serves.
///
/// # Errors
/// Whatever a step met.
pub(crate) fn run(options: &Options, steps: &Steps) -> Result<ExitCode, Error> {
    machine::wasm_target(steps)?;
    machine::install_wasm_opt(steps)?;
    let folder = steps.root.join(FOLDER);
    let out = folder.join("dist");

    // The storefront fills its database whenever it finds it empty, so also before the build reads it.
    fixture::build(steps, PACKAGE, &out, &[DATABASE], &[])?;
    if options.build_only {
        steps.say(&format!("built into {}", out.display()));
        return Ok(ExitCode::SUCCESS);
    }
    let (public, admin) = ports()?;
    let mut server = steps.command(out.join(PACKAGE));
    server
        .current_dir(&folder)
        .env(DATABASE.0, DATABASE.1)
        .env("TROPOS_ADDR", format!("127.0.0.1:{public}"))
        .env("TROPOS_ADMIN_ADDR", format!("127.0.0.1:{admin}"))
        .env_remove("PORT");
    steps.say(&format!("serving the storefront; admin listener on http://127.0.0.1:{admin}, Ctrl-C ends it"));
    steps.say(&format!(
        "the back office is at http://127.0.0.1:{public}/office; its sign-in page says who gets in"
    ));
    println!("http://127.0.0.1:{public}");
    become_it(server)
}

/// Two free ports next to each other, from 3000 up.
fn ports() -> Result<(u16, u16), Error> {
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let last = PORT + TRIES;
    (PORT..last)
        .find(|port| is_free(*port) && is_free(port + 1))
        .map(|port| (port, port + 1))
        .ok_or(Error::NoPort { first: PORT, last })
}

/// Signals then reach the server itself.
#[cfg(unix)]
fn become_it(mut server: Command) -> Result<ExitCode, Error> {
    use std::os::unix::process::CommandExt as _;
    let source = server.exec();
    Err(Error::Run { program: crate::steps::shown(&server), source })
}

#[cfg(not(unix))]
fn become_it(mut server: Command) -> Result<ExitCode, Error> {
    let program = crate::steps::shown(&server);
    let status = server.status().map_err(|source| Error::Run { program, source })?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_passed_over() {
        let (first, _) = ports().unwrap();
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
        let (second, admin) = ports().unwrap();
        assert!(second > first);
        assert_eq!(admin, second + 1);
    }
}
