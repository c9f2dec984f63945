//! `cargo tropos advise`: which routes are declared in a mode that does not suit them, by what a running server has seen.

mod replay;
mod sample;

use crate::{
    Error, args, server,
    terminal::{self, Terminal},
};
use std::{process::ExitCode, time::Duration};
use tropos_core::advice::Advice;

/// Where an admin listener says it.
const PATH: &str = "/advice";

/// Where the dev server's public address hands the question on; its admin address is asked as any.
const DEV_PATH: &str = "/_tropos/dev/app/advice";

/// Counts that are at hand.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends the requests of a sample where one is given, asks, and prints the findings as text or as the JSON that came.
///
/// # Errors
/// Where the sample cannot be read, or the server cannot be reached or does not count.
pub(crate) fn run(options: &args::Advise, terminal: &Terminal) -> Result<ExitCode, Error> {
    let (mut text, mut advice) = ask(&options.url)?;
    if let Some(file) = &options.requests {
        let paths = sample::read(file)?;
        let application = options.app.clone().unwrap_or_else(|| advice.application.clone());
        let done = replay::send(&application, &paths)?;
        terminal.note(format_args!(
            "sent {} requests to {application}, {} of which failed",
            done.sent, done.failed
        ));
        (text, advice) = ask(&options.url)?;
    }
    match options.json {
        true => terminal::print(&format!("{text}\n")),
        false => terminal::print(&advice.to_string()),
    }
    Ok(ExitCode::SUCCESS)
}

fn ask(server: &str) -> Result<(String, Advice), Error> {
    let read = |path| {
        let url = server::address(server, path);
        let text = server::read(&url, server::agent(TIMEOUT).get(&url).call(), meaning);
        (url, text)
    };
    let (url, text) = match read(PATH) {
        (_, Err(Error::Refused { status: 404, .. })) => read(DEV_PATH),
        found => found,
    };
    let text = text?;
    let advice = serde_json::from_str(&text)
        .map_err(|source| Error::Json { what: format!("the answer of {url}"), source })?;
    Ok((text, advice))
}

/// What a refusal means for whoever typed the command.
fn meaning(status: u16, body: &str) -> String {
    match status {
        404 => "no routes are counted there: start the server by `cargo tropos dev`, or with TROPOS_ADVISE=1, and name its \
                admin listener by --url (TROPOS_ADMIN_ADDR)"
            .into(),
        _ => server::first_line(body),
    }
}
