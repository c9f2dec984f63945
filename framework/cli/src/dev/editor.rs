//! Opening a place of the sources in the editor.

use serde::Deserialize;
use std::{
    ffi::OsString,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What a page asks to open.
#[derive(Debug, Deserialize)]
pub(crate) struct Place {
    file: PathBuf,
    #[serde(default)]
    line: Option<u32>,
    #[serde(default)]
    column: Option<u32>,
}

/// Opens it. Relative files are looked for in each of `folders`, and only what lies in one of them is opened.
///
/// # Errors
/// What a person should do instead.
pub(crate) fn open(place: &Place, folders: &[PathBuf]) -> Result<(), String> {
    let file = find(&place.file, folders)
        .ok_or_else(|| format!("{} is not one of the application's files", place.file.display()))?;
    let editor = ["TROPOS_EDITOR", "VISUAL", "EDITOR"]
        .into_iter()
        .find_map(|name| std::env::var_os(name).filter(|value| !value.is_empty()))
        .ok_or("no editor is named: set TROPOS_EDITOR, for example to `code`")?;
    let words = words(&editor.to_string_lossy(), &file, place.line.unwrap_or(1), place.column.unwrap_or(1))?;
    let mut words = words.into_iter();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Not of the terminal's group, whose ctrl-c is meant for the dev server.
    command.process_group(0);
    let mut child =
        command.spawn().map_err(|error| format!("{} could not be run: {error}", editor.display()))?;
    // Waited for, so that it does not stay as a dead entry of the process table.
    std::thread::spawn(move || child.wait());
    Ok(())
}

fn find(file: &Path, folders: &[PathBuf]) -> Option<PathBuf> {
    let candidates: Vec<PathBuf> = if file.is_absolute() {
        vec![file.to_owned()]
    } else {
        folders.iter().map(|folder| folder.join(file)).collect()
    };
    candidates
        .into_iter()
        .filter_map(|path| path.canonicalize().ok())
        .find(|path| path.is_file() && folders.iter().any(|folder| path.starts_with(folder)))
}

/// The command of an editor for a place.
fn words(editor: &str, file: &Path, line: u32, column: u32) -> Result<Vec<OsString>, String> {
    let mut words: Vec<OsString> = editor.split_whitespace().map(OsString::from).collect();
    let program = words.first().map(PathBuf::from).unwrap_or_default();
    let name = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let with = |suffix: String| {
        let mut text = file.as_os_str().to_owned();
        text.push(suffix);
        text
    };
    match name.as_str() {
        "code" | "code-insiders" | "codium" | "cursor" | "windsurf" | "antigravity" => {
            words.extend(["--goto".into(), with(format!(":{line}:{column}"))]);
        }
        "zed" | "zeditor" | "subl" | "sublime_text" | "mate" | "fresh" => {
            words.push(with(format!(":{line}:{column}")));
        }
        "idea" | "rustrover" | "clion" | "webstorm" => {
            words.extend(["--line".into(), line.to_string().into(), file.into()]);
        }
        "gvim" | "mvim" | "neovide" | "gedit" | "kate" | "emacsclient" => {
            words.extend([format!("+{line}").into(), file.into()]);
        }
        "vi" | "vim" | "nvim" | "nano" | "hx" | "helix" | "micro" | "emacs" | "kak" | "ed" => {
            return Err(format!(
                "{name} works in a terminal, and this one is taken: set TROPOS_EDITOR to an editor with a window, or \
                 open {}:{line}",
                file.display()
            ));
        }
        _ => words.push(file.into()),
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_editor_is_told_the_place_in_its_own_way() {
        for (editor, expected) in [
            ("code", "code --goto /a/b.rs:7:3"),
            ("/usr/bin/code --wait", "/usr/bin/code --wait --goto /a/b.rs:7:3"),
            ("zed", "zed /a/b.rs:7:3"),
            ("rustrover", "rustrover --line 7 /a/b.rs"),
            ("emacsclient -n", "emacsclient -n +7 /a/b.rs"),
            ("my-editor", "my-editor /a/b.rs"),
        ] {
            let words = words(editor, Path::new("/a/b.rs"), 7, 3).unwrap();
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            assert_eq!(words.join(" "), expected);
        }
        assert!(words("vim", Path::new("/a/b.rs"), 7, 3).unwrap_err().contains("TROPOS_EDITOR"));
    }

    #[test]
    fn only_files_of_the_application_are_opened() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let shop = root.join("shop");
        std::fs::create_dir_all(shop.join("src")).unwrap();
        std::fs::write(shop.join("src/a.rs"), "").unwrap();
        std::fs::write(root.join("secret"), "").unwrap();
        let folders = [shop.clone()];
        for (file, found) in [
            ("src/a.rs".into(), true),
            (shop.join("src/a.rs"), true),
            ("src/b.rs".into(), false),
            ("../secret".into(), false),
            (root.join("secret"), false),
            (shop.clone(), false),
        ] {
            assert_eq!(find(&file, &folders).is_some(), found, "{}", file.display());
        }
    }
}
