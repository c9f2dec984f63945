//! `cargo tropos deploy`: the files that a deployment needs, and what to do next.
//!
//! | file | holds |
//! |---|---|
//! | `context` | what the files say of the application |
//! | `files` | which files a target has, rendered (pure) |
//! | `observability` | what rules and dashboards are made of (pure) |
//! | `mark` | telling a file that was changed from one that was not (pure) |

mod context;
mod files;
mod mark;
mod observability;

use crate::{
    Error,
    args::{self, Target},
    project::Project,
    terminal::{self, Look, Terminal},
};
use context::Context;
use files::Rendered;
use std::{fs, path::PathBuf, process::ExitCode};

/// What is to be done about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    Write,
    Replace,
    Leave,
    /// Somebody changed it, or it was never written by this command.
    Refuse,
}

/// Writes the target's files, all or none, and says what to do next.
///
/// # Errors
/// [`Error::Changed`] for files that somebody changed, and where something cannot be written.
pub(crate) fn run(options: &args::Deploy, terminal: &Terminal) -> Result<ExitCode, Error> {
    let project = Project::find(&options.project)?;
    if options.page_cache && options.target != Target::Nginx {
        return Err(Error::Project("--page-cache belongs to `cargo tropos deploy nginx`".into()));
    }
    let context = Context::of(&project, options)?;
    let mut plans = Vec::new();
    for file in files::of(options.target, &context)? {
        let path = place(&file, &project, &context);
        let plan =
            plan(&file, fs::read_to_string(&path), options.force).map_err(Error::file("reading", &path))?;
        plans.push((file, path, plan));
    }
    let refused: Vec<PathBuf> =
        plans.iter().filter(|(_, _, plan)| *plan == Plan::Refuse).map(|(_, path, _)| path.clone()).collect();
    if !refused.is_empty() {
        return Err(Error::Changed {
            files: refused.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
        });
    }
    let color = terminal.color_out;
    for (file, path, plan) in &plans {
        let said = match plan {
            Plan::Leave => Look::Dim.paint("as it was", color),
            Plan::Replace => Look::Yellow.paint(" replaced", color),
            Plan::Write | Plan::Refuse => Look::Green.paint("  written", color),
        };
        if *plan != Plan::Leave {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(Error::file("making", folder))?;
            }
            fs::write(path, &file.text).map_err(Error::file("writing", path))?;
        }
        terminal::print(&format!("  {said}  {}\n", file.path));
    }
    terminal::print("\n  next:\n");
    for step in files::next(options.target, &context) {
        terminal::print(&format!("  - {step}\n"));
    }
    Ok(ExitCode::SUCCESS)
}

fn place(file: &Rendered, project: &Project, context: &Context) -> PathBuf {
    if file.in_workspace { context.root.join(&file.path) } else { project.directory.join(&file.path) }
}

/// A file that is there is replaced where it is as this command once wrote it.
fn plan(file: &Rendered, found: std::io::Result<String>, force: bool) -> std::io::Result<Plan> {
    match found {
        Ok(text) if text == file.text => Ok(Plan::Leave),
        Ok(text) if force || mark::is_untouched(&text) => Ok(Plan::Replace),
        Ok(_) => Ok(Plan::Refuse),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Plan::Write),
        // A file that is no text is somebody's too.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Ok(if force { Plan::Replace } else { Plan::Refuse })
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_somebody_changed_is_replaced_by_force_alone() {
        let text = mark::sign("{{mark}}\nnew\n", "{{mark}}", "x");
        let older = mark::sign("{{mark}}\nold\n", "{{mark}}", "x");
        let file = Rendered { path: "a".into(), in_workspace: false, text: text.clone() };
        let absent = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let cases = [
            ("as it was", Ok(text.clone()), false, Plan::Leave),
            ("of an older version", Ok(older.clone()), false, Plan::Replace),
            ("changed", Ok(format!("{older}# mine\n")), false, Plan::Refuse),
            ("changed, by force", Ok(format!("{older}# mine\n")), true, Plan::Replace),
            ("somebody else's", Ok("FROM scratch\n".to_owned()), false, Plan::Refuse),
            ("absent", Err(absent()), false, Plan::Write),
        ];
        for (name, found, force, expected) in cases {
            assert_eq!(plan(&file, found, force).unwrap(), expected, "{name}");
        }
    }
}
