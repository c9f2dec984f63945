//! A process with all that it started: for servers of several processes.

use crate::{Error, PATIENCE, poll};
use rustix::process::{Pid, Signal, kill_process};
use std::{collections::HashMap, fs};

/// What Linux tells of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: i32,
    /// As in proc(5): `T` stands still, `Z` has ended and is not waited for.
    state: char,
}

impl Stat {
    fn parse(line: &str) -> Option<Self> {
        // The name before may hold spaces and parentheses.
        let (_, rest) = line.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        Some(Self { state, parent: fields.next()?.parse().ok()? })
    }

    fn has_ended(self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }

    fn stands_still(self) -> bool {
        self.state == 'T' || self.has_ended()
    }
}

/// All processes now; none where the system has no `/proc`.
fn table() -> HashMap<i32, Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let stat = |id: i32| Stat::parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?);
    numbers.filter_map(|id| Some((id, stat(id)?))).collect()
}

/// Whom a process started, and whom those did. Not itself.
fn descendants(of: i32, table: &HashMap<i32, Stat>) -> Vec<i32> {
    let mut found = Vec::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        let children = table.iter().filter(|(_, stat)| stat.parent == parent).map(|(id, _)| *id);
        let children: Vec<_> = children.collect();
        parents.extend(&children);
        found.extend(children);
    }
    found
}

/// One that has ended meanwhile is no failure.
fn send(id: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(id) {
        let _ = kill_process(pid, signal);
    }
}

/// Stops a process and all that it started where they are (SIGSTOP), and returns once all of them stand still. The
/// process itself comes first, so that it starts no others meanwhile.
pub(crate) fn freeze(root: Pid) -> Result<(), Error> {
    let root = root.as_raw_pid();
    let all = poll::until(PATIENCE, || {
        let table = table();
        let moves = |id: &i32| table.get(id).is_some_and(|stat| !stat.stands_still());
        let moving: Vec<_> = if moves(&root) {
            vec![root]
        } else {
            descendants(root, &table).into_iter().filter(moves).collect()
        };
        moving.iter().for_each(|id| send(*id, Signal::STOP));
        Ok(moving.is_empty().then_some(()))
    })?;
    all.ok_or_else(|| Error::Late {
        what: format!("not all that process {root} started stood still on SIGSTOP"),
        patience: PATIENCE,
        log: String::new(),
    })
}

/// Lets them go on after [`freeze`]: the process itself last, so that it finds the others moving.
pub(crate) fn thaw(root: Pid) {
    let root = root.as_raw_pid();
    descendants(root, &table()).into_iter().chain([root]).for_each(|id| send(id, Signal::CONT));
}

/// Kills all that a process started, and waits for their ends. The process itself is left, standing still, to whom
/// waits for it.
///
/// A stopped parent waits for no child, so that no number names another process before this returns.
pub(crate) fn kill_descendants(root: Pid) -> Result<(), Error> {
    freeze(root)?;
    let root = root.as_raw_pid();
    let killed = descendants(root, &table());
    killed.iter().for_each(|id| send(*id, Signal::KILL));
    let ended = poll::until(PATIENCE, || {
        let table = table();
        let all = killed.iter().all(|id| table.get(id).is_none_or(|stat| stat.has_ended()));
        Ok(all.then_some(()))
    })?;
    ended.ok_or_else(|| Error::Late {
        what: format!("not all that process {root} started ended on SIGKILL"),
        patience: PATIENCE,
        log: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let stat = Stat { state: 'S', parent: 7 };
        assert_eq!(Stat::parse("12 (postgres) S 7 12 12"), Some(stat));
        assert_eq!(Stat::parse("12 (a) b) (c d) S 7 12 12"), Some(stat));
        assert_eq!(Stat::parse("12 (cut"), None);
    }

    #[test]
    fn descendants_are_children_and_theirs() {
        let stat = |parent| Stat { state: 'S', parent };
        let table = HashMap::from([(2, stat(1)), (3, stat(2)), (4, stat(3)), (5, stat(1))]);
        let mut found = descendants(2, &table);
        found.sort_unstable();
        assert_eq!(found, [3, 4]);
    }
}
