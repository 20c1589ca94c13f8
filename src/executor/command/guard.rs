//! The guard: a process that kills the programs of this process after its death.
//!
//! A server that is killed cannot end its programs, and the next start runs their jobs again. The guard
//! reads from a pipe which process groups run. The system closes the pipe when the server dies, however it
//! dies; the guard then kills the groups that are left. It starts with the first program, and again if it
//! was killed itself.
//!
//! The guard is the program of this process, started again with [`Guard::enable`]'s argument. An application
//! that embeds the server has no such argument, and no guard.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::Pid;

/// The program of this process, also after its file was replaced.
const OWN_PROGRAM: &str = "/proc/self/exe";

static GUARD: Mutex<Guard> =
    Mutex::new(Guard { argument: None, groups: BTreeSet::new(), process: None });

/// The process groups that run, and the process that guards them.
pub(crate) struct Guard {
    /// Argument with which the program of this process runs as a guard.
    argument: Option<&'static str>,
    groups: BTreeSet<i32>,
    process: Option<GuardProcess>,
}

/// The running guard.
struct GuardProcess {
    child: Child,
    pipe: ChildStdin,
}

fn lock() -> MutexGuard<'static, Guard> {
    // A panic leaves a valid set of groups.
    GUARD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guard {
    /// Uses a guard from now on. The program of this process must run as one if it is started with
    /// `argument`, followed by the groups that run already.
    pub(crate) fn enable(argument: &'static str) {
        lock().argument = Some(argument);
    }

    /// Returns whether a process is a program that an attempt waits for.
    pub(crate) fn is_program(pid: i32) -> bool {
        lock().groups.contains(&pid)
    }

    /// Adds a process group that has started.
    pub(super) fn add(group: Pid) {
        let mut guard = lock();
        let group = group.as_raw_nonzero().get();
        guard.groups.insert(group);
        guard.report('+', group);
    }

    /// Removes a process group that has ended.
    pub(super) fn remove(group: Pid) {
        let mut guard = lock();
        let group = group.as_raw_nonzero().get();
        if guard.groups.remove(&group) {
            guard.report('-', group);
        }
    }

    /// Reports a change to the guard. A guard that cannot be written to is replaced by a new one.
    fn report(&mut self, change: char, group: i32) {
        let Some(argument) = self.argument else { return };
        if let Some(process) = &mut self.process
            && process.write(change, group).is_ok()
        {
            return;
        }
        self.process = None;
        match GuardProcess::start(argument, &self.groups) {
            Ok(process) => self.process = Some(process),
            Err(error) => tracing::warn!(
                %error,
                "no process guards the programs: they would live on if the server were killed"
            ),
        }
    }
}

impl GuardProcess {
    /// Starts a guard of these groups. They are arguments, so that it knows them from its first moment.
    fn start(argument: &str, groups: &BTreeSet<i32>) -> io::Result<Self> {
        let mut command = Command::new(OWN_PROGRAM);
        // A group of its own, so that Ctrl-C in a terminal does not reach it.
        command.arg0("longshore").arg(argument).args(groups.iter().map(i32::to_string));
        command.env_clear().current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let Some(pipe) = child.stdin.take() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let process = Self { child, pipe };
        // A guard that does not read must not block the server.
        rustix::io::ioctl_fionbio(&process.pipe, true)?;
        Ok(process)
    }

    /// Writes one line. The pipe takes so few bytes whole or not at all (pipe(7)).
    fn write(&mut self, change: char, group: i32) -> io::Result<()> {
        self.pipe.write_all(format!("{change}{group}\n").as_bytes())
    }
}

impl Drop for GuardProcess {
    /// Ends a guard that has failed. It must not see the end of the pipe, at which it would kill.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
