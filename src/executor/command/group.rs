//! A running program with its process group.

use std::io;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use crate::executor::command::Pipes;

/// A program that leads its process group. Dropping it kills the group.
pub(super) struct Group {
    child: Child,
    /// The group's number; none once it is known to be gone and may be another's.
    id: Option<Pid>,
}

impl Group {
    /// Starts a program as the leader of a new group.
    pub(super) fn spawn(mut command: Command) -> io::Result<(Self, Pipes)> {
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let pipes = Pipes {
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
        };
        Ok((Self { child, id }, pipes))
    }

    /// Waits until the leader has ended, and kills what it left of its group.
    ///
    /// May be called again after it was dropped halfway.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        // At once: with the leader gone, the number is the group's only while it has members.
        self.kill();
        self.id = None;
        status
    }

    /// Asks the whole group to end.
    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends the whole group.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            // Fails where nobody is left, which is as well.
            let _ = kill_process_group(id, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
