//! Words typed into the terminal, each with Enter: the terminal stays as it is, whatever happens to the dev server.

use std::io::{BufRead as _, IsTerminal as _};
use tokio::sync::mpsc;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Rebuild,
    Open,
    Quit,
}

/// Listens, where a person is there.
pub(crate) fn listen() -> mpsc::Receiver<Key> {
    let (sender, receiver) = mpsc::channel(4);
    if std::io::stdin().is_terminal() {
        // A thread of its own, since a read of a terminal cannot be given up; it ends with the process.
        std::thread::spawn(move || {
            let lines = std::io::stdin().lock().lines().map_while(Result::ok);
            for key in lines.filter_map(|line| parse(&line)) {
                if sender.blocking_send(key).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

fn parse(line: &str) -> Option<Key> {
    match line.trim() {
        "r" => Some(Key::Rebuild),
        "o" => Some(Key::Open),
        "q" => Some(Key::Quit),
        _ => None,
    }
}

/// Shows an address in the browser.
pub(crate) fn open_browser(url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = std::process::Command::new(program);
    command.arg(url).stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    match command.spawn() {
        Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
        Err(error) => crate::terminal::say(&format!("{:>12} {program} could not be run: {error}", "note")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_words_are_known() {
        assert_eq!(
            ["r", " o ", "q", "x", ""].map(parse),
            [Some(Key::Rebuild), Some(Key::Open), Some(Key::Quit), None, None]
        );
    }
}
