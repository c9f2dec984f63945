//! Processes that end together with what they started.

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// A process, and all that it starts: a group of their own, so that a key in the terminal reaches the dev server alone,
/// and so that nothing is left when it ends them. Dropped, all are killed.
pub(crate) struct Group {
    child: Child,
    /// `None` once it ended: the number may be another process's then.
    leader: Option<Pid>,
}

impl Group {
    /// Starts a command.
    ///
    /// # Errors
    /// As [`Command::spawn`].
    pub(crate) fn spawn(mut command: Command) -> std::io::Result<Self> {
        command.process_group(0).kill_on_drop(true);
        let child = command.spawn()?;
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Self { child, leader })
    }

    /// To take its pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits for the first of them to end.
    ///
    /// # Errors
    /// As [`Child::wait`].
    pub(crate) async fn wait(&mut self) -> std::io::Result<std::process::ExitStatus> {
        let status = self.child.wait().await?;
        if let Some(leader) = self.leader.take() {
            // What it started and left behind. The group keeps its number as long as one of them lives.
            let _ = kill_process_group(leader, Signal::KILL);
        }
        Ok(status)
    }

    /// Asks it to end, as a service manager would.
    pub(crate) fn terminate(&self) {
        if let Some(leader) = self.leader {
            let _ = kill_process_group(leader, Signal::TERM);
        }
    }

    /// Ends it now.
    pub(crate) fn kill(&self) {
        if let Some(leader) = self.leader {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{process::Stdio, time::Duration};
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn what_a_process_started_ends_with_it() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & sleep 600"]).stdout(Stdio::piped());
        let mut group = Group::spawn(command).unwrap();
        let mut out = group.child().stdout.take().unwrap();
        drop(group);
        // Standard output is open as long as one of the three lives.
        let closed = tokio::time::timeout(Duration::from_secs(20), out.read(&mut [0; 1])).await;
        assert_eq!(closed.unwrap().unwrap(), 0);
    }
}
