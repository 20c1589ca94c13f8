//! A server process whose stderr the test chooses.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::kit::{Connection, Response, eventually};

/// The process, which is killed when this is dropped, and the address on which it listens.
pub(super) struct RawServer {
    pub(super) child: Child,
    pub(super) addr: SocketAddr,
}

impl RawServer {
    /// Starts a server and waits until it listens.
    pub(super) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let addr = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| {
            panic!("the server did not start, {:?}: {line}", child.try_wait());
        });
        let addr = addr.parse().unwrap();
        std::thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
        Self { child, addr }
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(super) fn get(&self, path: &str) -> Response {
        Connection::open(self.addr).unwrap().request("GET", path, &[], b"").unwrap()
    }

    /// Submits a job and waits until it is final.
    pub(super) fn run(&self, job: &Value) -> Value {
        let submitted = Connection::open(self.addr).unwrap().post("/v1/jobs", job).unwrap();
        let id = submitted.expect(202)["id"].as_i64().unwrap();
        self.get(&format!("/v1/jobs/{id}?wait=30s")).expect(200)
    }

    /// Sends SIGTERM and waits for the end.
    pub(super) fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        eventually("the server ends", || self.child.try_wait().unwrap())
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        // Fails if the process has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
