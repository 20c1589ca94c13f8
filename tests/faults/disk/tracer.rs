//! Makes system calls of a process fail, or succeed without an effect, with `strace`.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Pid;

use crate::kit::eventually;

/// A running `strace`. When it ends, its process continues unchanged.
pub(crate) struct Tracer {
    child: Child,
}

impl Tracer {
    /// Injects `how`, such as `error=EIO`, into every `fdatasync` and `fsync` of a process, or returns
    /// why that is not possible. The trace is written to `directory`.
    pub(crate) fn flushes(pid: Pid, directory: &Path, how: &str) -> Result<Self, String> {
        Self::attach(pid, directory, how, &mut Command::new("strace"))
    }

    /// Does the same as [`Tracer::flushes`] for the flushes of one file only.
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
            Ok(mut tracer) => match tracer.is_attached(&pid) {
                true => return Ok(tracer),
                false => "it may not trace the process".into(),
            },
            Err(error) => error.to_string(),
        };
        Err(format!("cannot break flushes with strace: {why}"))
    }

    /// Waits until every thread of the process is traced. Returns false if the tracer ends instead.
    fn is_attached(&mut self, pid: &str) -> bool {
        eventually("the tracer is attached", || {
            let ended = self.child.try_wait().unwrap().map(|_| false);
            ended.or_else(|| are_traced(pid).then_some(true))
        })
    }

    /// Waits until the tracer ends, which it does after its process has ended.
    pub(crate) fn wait_until_ended(mut self) {
        eventually("the tracer ends", || self.child.try_wait().unwrap());
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // Fails if the tracer has ended by itself.
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
