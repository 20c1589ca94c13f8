//! A running program and its process group.

use std::io;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use crate::executor::command::Pipes;
use crate::executor::command::guard::Guard;

/// A program that leads a process group. Dropping this value kills the group.
pub(super) struct ProcessGroup {
    child: Child,
    /// Id of the group. `None` after the leader has ended, because the system may then reuse the
    /// id.
    id: Option<Pid>,
}

impl ProcessGroup {
    /// Starts a program as the leader of a new group.
    pub(super) fn spawn(mut command: Command) -> io::Result<(Self, Pipes)> {
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(id) = id {
            Guard::add(id);
        }
        let pipes = Pipes {
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
        };
        Ok((Self { child, id }, pipes))
    }

    /// Waits until the leader has ended, and kills the other processes of its group.
    ///
    /// This is cancel-safe: it may be called again after its future was dropped.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        // The group is killed at once. Without its leader, the group owns its id only while it has
        // other members.
        self.end();
        status
    }

    /// Sends SIGTERM to the whole group.
    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGKILL to the whole group.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Kills what is left of the group, after which its id may be used again.
    fn end(&mut self) {
        self.kill();
        if let Some(id) = self.id.take() {
            Guard::remove(id);
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            // Fails if the group has no members left, which needs no handling.
            let _ = kill_process_group(id, signal);
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.end();
    }
}
