//! `cargo tropos new`: an application that builds and passes its own tests.
//!
//! | module | holds |
//! |---|---|
//! | [`name`] | which names an application may have |
//! | [`ask`] | what is asked, where a person can answer |
//! | [`template`] | the files of `app-template/`, and how they are rendered |
//! | [`origin`] | where the application takes Tropos from: a release, or a checkout |
//! | [`workspace`] | becoming a member of the workspace that is around it |
//! | [`tailwind`] | finding Tailwind, and having it make the style sheet |
//! | [`folder`] | the new folder: what is there already, writing, git |
//! | [`next`] | what to do with it |

mod ask;
mod folder;
mod name;
mod next;
mod origin;
mod tailwind;
mod template;
mod workspace;

use crate::{
    Error, args,
    terminal::{self, Terminal},
};
use folder::Place;
use origin::Origin;
use std::{fmt, path::Path, process::ExitCode};
use tailwind::Tailwind;
use template::Choices;
use workspace::Joined;

/// Which database a new application is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Database {
    /// A file beside the application: nothing to install.
    Sqlite,
    /// A server, for many instances.
    Postgres,
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Database::Sqlite => "sqlite",
            Database::Postgres => "postgres",
        })
    }
}

/// Makes the application.
///
/// # Errors
/// Where the name is none, the folder holds something, or a file cannot be written.
pub(crate) fn run(options: &args::New, terminal: &mut Terminal) -> Result<ExitCode, Error> {
    let place = Place::of(&options.path)?;
    name::check(&place.name)?;
    place.check()?;
    let answers = ask::answers(options, terminal)?;
    let tailwind = answers.tailwind.then(|| tailwind::find(&place.folder)).flatten();
    if answers.tailwind && tailwind.is_none() {
        terminal.note(tailwind::MISSING);
    }
    let origin = Origin::find(&place.folder);
    let workspace = workspace::around(&place.folder)?;
    let choices = Choices {
        database: answers.database,
        tailwind: tailwind.as_ref().map(|tailwind| tailwind.command()),
        own_workspace: workspace.is_none(),
        own_repository: place.repository().is_none(),
        ..Choices::new(&place.name, &origin)
    };
    let files = template::render(&choices)?;

    terminal.phase("files", &format!("writing {} into {}", files.len(), place.folder.display()), |_| {
        place.write(&files)?;
        match &workspace {
            Some(_) => Ok(()),
            // So that versions which are known to fit are taken, that of wasm-bindgen above all.
            None => origin.copy_lock(&place.folder),
        }
    })?;
    if let Some(workspace) = workspace {
        say_joined(&workspace.join(&place.folder)?, terminal);
    }
    if let Some(tailwind) = &tailwind {
        terminal.phase("styles", &tailwind.command(), |terminal| {
            make_styles(tailwind, &place.folder, terminal);
            Ok(())
        })?;
    }
    if choices.own_repository {
        terminal.phase("git", "making a repository", |terminal| {
            if !place.init_repository() {
                terminal.note("git did not make a repository; `git init` does, once git is there");
            }
            Ok(())
        })?;
    }
    let next = next::Next { path: &options.path, database: answers.database, krate: &place.krate() };
    terminal::print(&next.text(&terminal.phases(), terminal.color_out));
    Ok(ExitCode::SUCCESS)
}

fn say_joined(joined: &Joined, terminal: &Terminal) {
    match joined {
        Joined::Already => {}
        Joined::Added { manifest, member } => {
            terminal.note(format_args!("`{member}` is now a member of the workspace {}", manifest.display()));
        }
        Joined::ByHand { manifest, member } => terminal.note(format_args!(
            "the workspace {} names its members in a way that is left alone: add \"{member}\" to `members` there, or to \
             `exclude`",
            manifest.display()
        )),
    }
}

/// The plain sheet is there already, so a failure here leaves an application that looks as it should.
fn make_styles(tailwind: &Tailwind, folder: &Path, terminal: &Terminal) {
    if let Err(error) = tailwind.run(folder) {
        terminal.note(format_args!(
            "{error}; public/style.css is the plain sheet until `{}` succeeds",
            tailwind.command()
        ));
    }
}
