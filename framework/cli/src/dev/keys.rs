//! Words typed into the terminal, each with Enter: the terminal stays as it is, whatever happens to the dev server.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    io::{IsTerminal as _, Stdin},
    os::unix::process::CommandExt as _,
    time::Duration,
};
use tokio::sync::mpsc;

/// How often it is looked whether the dev server is in the terminal's foreground again.
const LOOK: Duration = Duration::from_millis(500);

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
            let (stdin, mut line) = (std::io::stdin(), String::new());
            loop {
                line.clear();
                if !has_line(&stdin) {
                    continue;
                }
                if !stdin.read_line(&mut line).is_ok_and(|length| length > 0) {
                    return;
                }
                if let Some(key) = parse(&line)
                    && sender.blocking_send(key).is_err()
                {
                    return;
                }
            }
        });
    }
    receiver
}

/// Waits for a line, for a moment. In the background there is none: a process that reads there is stopped by the system
/// (SIGTTIN), and with it all that it serves.
fn has_line(stdin: &Stdin) -> bool {
    if rustix::termios::tcgetpgrp(stdin).is_ok_and(|foreground| foreground != rustix::process::getpgrp()) {
        std::thread::sleep(LOOK);
        return false;
    }
    let wait = Timespec::try_from(LOOK).ok();
    let mut waits = [PollFd::new(stdin, PollFlags::IN)];
    poll(&mut waits, wait.as_ref()).is_ok_and(|ready| ready > 0)
        // It may have been put into the background meanwhile.
        && rustix::termios::tcgetpgrp(stdin).is_ok_and(|foreground| foreground == rustix::process::getpgrp())
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
    // Not of the terminal's group, whose ctrl-c is meant for the dev server.
    command.process_group(0);
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
