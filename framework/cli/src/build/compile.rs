//! The server and the islands, side by side.
//!
//! Each is a cargo of its own. For release the two have profiles of their own, so they write into folders of their own and
//! wait for no lock; each ends with one crate and a linker, which leave one processor idle, so the second program takes it.
//! For debugging they share a profile, and with it the compiled macros and build scripts: they take turns.

use super::{
    assets::Hashed,
    islands, kept,
    server::{self, Artifact},
    target::{self, Target},
};
use crate::{Error, args, cargo::Together, project::Project, terminal::Terminal};
use std::path::PathBuf;

/// What was compiled.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The server's program.
    pub(crate) server: PathBuf,
    /// The islands' files; none where the application exports none.
    pub(crate) islands: Vec<Hashed>,
    /// What was as it is already.
    pub(crate) skipped: Vec<String>,
}

/// Compiles both, as far as anything has changed.
///
/// # Errors
/// Where one does not compile; the other is ended then.
pub(crate) fn run(options: &args::Build, project: &Project, terminal: &Terminal) -> Result<Compiled, Error> {
    let target = project.hydrates.then(|| target::ensure(terminal)).transpose()?;
    let together = Together::new(target.is_some() && !options.debug);
    let profile = if options.debug { "dev" } else { "release" };
    let what = format!("compiling {} ({profile})", project.name);
    let server = || terminal.phase("server", &what, |_| server::compile(project, options.debug, &together));
    let islands = || match &target {
        Some(target) => islands_of(options, project, target, &together, terminal),
        None => Ok((Vec::new(), Vec::new())),
    };
    let (server, (islands, mut skipped)) = match together.are_several() {
        true => side_by_side(&together, server, islands)?,
        false => (server()?, islands()?),
    };
    skipped.extend(nothing_to_compile("the server", &server));
    Ok(Compiled { server: server.path, islands, skipped })
}

/// The islands' files, and what was skipped for them.
fn islands_of(
    options: &args::Build,
    project: &Project,
    target: &Target,
    together: &Together,
    terminal: &Terminal,
) -> Result<(Vec<Hashed>, Vec<String>), Error> {
    let debug = options.debug;
    let module = terminal.phase("islands", "compiling for the browser", |_| {
        islands::compile(project, islands::FEATURE, debug, target, together)
    })?;
    let mut skipped: Vec<_> = nothing_to_compile("the islands", &module).into_iter().collect();
    let optimiser = islands::optimiser(options, project, terminal)?;
    let folder = kept::folder(project, debug);
    let key = kept::key(&module.path, debug, optimiser.as_deref())?;
    if let Some(files) = kept::read(&folder, &key) {
        skipped.push("binding and optimising the wasm".to_owned());
        return Ok((files, skipped));
    }
    let files = terminal.phase("wasm", "binding and optimising", |_| {
        islands::make(&module.path, &project.target, optimiser.as_deref(), debug)
    })?;
    kept::write(&folder, key, &files)?;
    Ok((files, skipped))
}

fn nothing_to_compile(what: &str, artifact: &Artifact) -> Option<String> {
    (artifact.crates == 0).then(|| format!("compiling {what}"))
}

/// Runs both at once; where one fails, the other is ended, and the error is that of the one that failed by itself.
fn side_by_side<A: Send, B: Send>(
    together: &Together,
    first: impl FnOnce() -> Result<A, Error> + Send,
    second: impl FnOnce() -> Result<B, Error> + Send,
) -> Result<(A, B), Error> {
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| second().inspect_err(|_| together.stop()));
        let first = first().inspect_err(|_| together.stop());
        (first, second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (Err(Error::Stopped { .. }), Err(error)) | (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_that_of_the_one_that_failed_by_itself() {
        let stopped = || Err::<(), _>(Error::Stopped { command: "cargo".into() });
        let failed = || Err::<(), _>(Error::Project("broken".into()));
        let run = |first: fn() -> Result<(), Error>, second: fn() -> Result<(), Error>| {
            side_by_side(&Together::default(), first, second)
        };
        assert!(run(|| Ok(()), || Ok(())).is_ok());
        for (first, second) in [(stopped as fn() -> _, failed as fn() -> _), (failed, stopped)] {
            assert_eq!(run(first, second).unwrap_err().to_string(), "broken");
        }
        assert_eq!(run(|| Ok(()), failed).unwrap_err().to_string(), "broken");
        assert_eq!(run(failed, || Ok(())).unwrap_err().to_string(), "broken");
    }
}
