//! A Python worker in a process that can be paused, resumed and killed.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::history::Recorder;
use crate::kit::eventually;
use crate::kit::proc::catches;

/// Returns whether `python3` is installed.
pub(crate) fn has_python() -> bool {
    let version = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// Returns the Python in which `tests/run` has installed the libraries of the Python client.
pub(crate) fn client_python() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../python/source/bin/python")
}

/// Returns a command for a Python that writes no bytecode into the source folder.
fn python(program: impl AsRef<std::ffi::OsStr>, recorder: &Recorder, path: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("PYTHONPATH", path).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("HISTORY", recorder.path());
    command
}

/// Worker and the processes that it has started. Dropping it kills all of them.
pub(crate) struct Worker {
    child: Child,
    directory: TempDir,
}

impl Worker {
    /// Starts `examples/worker.py` with the kinds of the tests and these options.
    pub(crate) fn start(url: &str, recorder: &Recorder, lease_secs: u32, options: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = python("python3", recorder, &root.join("examples"));
        command
            .arg(root.join("tests/faults/workers/python/handlers.py"))
            .args(["--url", url, "--lease", &lease_secs.to_string()])
            .args(options);
        Self::spawn(&mut command)
    }

    /// Starts the worker of the Python client with the tasks of the tests and these options.
    pub(crate) fn start_client(
        url: &str,
        recorder: &Recorder,
        lease_secs: u32,
        options: &[&str],
    ) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = python(client_python(), recorder, &root.join("clients/python/src"));
        command
            .args(["-m", "longshore.worker.cli", "tasks:ls"])
            .args(["--url", url, "--lease", &lease_secs.to_string()])
            .args(options)
            // The worker imports the application from the current folder.
            .current_dir(root.join("tests/faults/workers/python"));
        Self::spawn(&mut command)
    }

    fn spawn(command: &mut Command) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = File::create(directory.path().join("log")).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // A group of its own, so that signals reach its child processes as well.
            .process_group(0)
            .spawn()
            .unwrap();
        Self { child, directory }
    }

    fn signal(&self, signal: Signal) {
        kill_process_group(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM, and asserts that the worker then exits with success.
    pub(crate) fn stop(&mut self) {
        let pid = Pid::from_child(&self.child);
        // A worker that has just started has not installed its signal handler yet.
        eventually("the worker handles SIGTERM", || catches(pid, Signal::TERM).then_some(()));
        self.signal(Signal::TERM);
        let status = eventually("the worker ends", || self.child.try_wait().unwrap());
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// Returns the log of the worker.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Fails if all processes have ended.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of a worker\n{}--- end of the log", self.log());
        }
    }
}
