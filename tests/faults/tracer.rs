//! Calls of a process to the system, which fail or do nothing.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Pid;

use crate::kit::eventually;

/// A tracer; the process goes on unharmed when it ends.
pub(crate) struct Tracer {
    child: Child,
}

impl Tracer {
    /// Makes every `fdatasync` and `fsync` of a process end as `how` says, such as `error=EIO`; or
    /// tells why it cannot. `directory` is for what is traced.
    pub(crate) fn flushes(pid: Pid, directory: &Path, how: &str) -> Result<Self, String> {
        Self::attach(pid, directory, how, &mut Command::new("strace"))
    }

    /// The same for the flushes of one file.
    pub(crate) fn flushes_of(
        file: &Path,
        pid: Pid,
        directory: &Path,
        how: &str,
    ) -> Result<Self, String> {
        Self::attach(pid, directory, how, Command::new("strace").arg("-P").arg(file))
    }

    fn attach(
        pid: Pid,
        directory: &Path,
        how: &str,
        command: &mut Command,
    ) -> Result<Self, String> {
        let pid = pid.as_raw_nonzero().to_string();
        let strace = command
            .args(["-f", "-p", &pid, "-e", "trace=fdatasync,fsync"])
            .args(["-e", &format!("inject=fdatasync,fsync:{how}"), "-o"])
            .arg(directory.join("trace"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let why = match strace.map(|child| Self { child }) {
            Ok(mut tracer) => match tracer.holds(&pid) {
                true => return Ok(tracer),
                false => "it may not trace the server".into(),
            },
            Err(error) => error.to_string(),
        };
        Err(format!("flushes cannot be broken without strace: {why}"))
    }

    /// Waits until every thread of the process is traced; false where the tracer ends instead.
    fn holds(&mut self, pid: &str) -> bool {
        eventually("the tracer is there", || {
            let ended = self.child.try_wait().unwrap().map(|_| false);
            ended.or_else(|| are_traced(pid).then_some(true))
        })
    }

    /// Waits until it ends, as it does when its process has.
    pub(crate) fn ended(mut self) {
        eventually("the tracer ends", || self.child.try_wait().unwrap());
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // Fails where it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn are_traced(pid: &str) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.map_while(Result::ok).all(|thread| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        !status.contains("TracerPid:\t0\n")
    })
}
