//! `cargo tropos routes`: what the server binary says of its routes.

use crate::{
    Error, args, build, program,
    project::Project,
    table,
    terminal::{self, Terminal},
};
use std::process::ExitCode;

/// Asks the built server, or one compiled for the purpose where there is none.
///
/// # Errors
/// Where it does not compile, or fails.
pub(crate) fn run(options: &args::Routes, terminal: &Terminal) -> Result<ExitCode, Error> {
    let project = Project::find(&options.project)?;
    let server = program::at_hand(&project, false, terminal)?;
    if options.json {
        terminal::print(&String::from_utf8_lossy(&build::server::routes_json(&project, &server)?));
    } else {
        terminal::print(&table::declared(&build::server::routes(&project, &server)?, terminal.color_out));
    }
    Ok(ExitCode::SUCCESS)
}
