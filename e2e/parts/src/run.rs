//! Programs that do one thing and end.

use crate::{Error, PATIENCE, poll};
use std::{
    fs::File,
    io::{self, Read as _, Seek as _},
    process::{Command, Stdio},
    time::Duration,
};

/// Runs a program to its end, which is killed where that does not come within [`PATIENCE`], and gives what it printed
/// without the line's end. `what` is named by errors.
pub(crate) fn run(
    command: &mut Command,
    program: &'static str,
    package: &'static str,
    what: &str,
    input: Stdio,
) -> Result<String, Error> {
    run_within(PATIENCE, command, program, package, what, input)
}

/// The same within another bound.
pub(crate) fn run_within(
    patience: Duration,
    command: &mut Command,
    program: &'static str,
    package: &'static str,
    what: &str,
    input: Stdio,
) -> Result<String, Error> {
    let doing = |source| Error::Io { doing: format!("running {program}"), source };
    // Files hold whatever is printed; nobody has to read a pipe meanwhile.
    let (printed, complaints) = (tempfile::tempfile().map_err(doing)?, tempfile::tempfile().map_err(doing)?);
    let to = |file: &File| file.try_clone().map_err(doing);
    let started = command.stdin(input).stdout(to(&printed)?).stderr(to(&complaints)?).spawn();
    let mut child = started.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing { program, package },
        _ => doing(source),
    })?;
    let ended = poll::until(patience, || child.try_wait().map_err(doing))?;
    let Some(status) = ended else {
        child.kill().and_then(|()| child.wait()).map_err(doing)?;
        return Err(Error::Late {
            what: format!("{program} did not end ({what})"),
            patience,
            log: format!("; it wrote: {}", text(complaints).map_err(doing)?),
        });
    };
    if !status.success() {
        let answer = format!("{} ({status})", text(complaints).map_err(doing)?);
        return Err(Error::Refused { command: what.to_owned(), answer });
    }
    text(printed).map_err(doing)
}

/// All of a file that others wrote.
fn text(mut file: File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
}

/// A text as the input of a program.
pub(crate) fn input(text: &str) -> Result<Stdio, Error> {
    let write = || {
        let mut file = tempfile::tempfile()?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.rewind()?;
        Ok(file.into())
    };
    write().map_err(Error::io("writing the input of a program"))
}
