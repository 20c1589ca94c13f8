//! The real program `longshore`, as a separate process.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;

use crate::load::{Connection, generate};
use crate::server;

/// The running program. Dropping it kills the process.
pub struct Program {
    child: Child,
    pub addr: SocketAddr,
    stdout: BufReader<ChildStdout>,
    _directory: TempDir,
}

impl Program {
    /// Starts the program on a new database and waits until it listens.
    pub fn start() -> Self {
        let directory = server::directory();
        let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
        let names = std::env::vars_os().map(|(name, _)| name);
        for name in names.filter(|name| name.to_string_lossy().starts_with("LONGSHORE_")) {
            command.env_remove(name);
        }
        command.args(["serve", "--listen", "127.0.0.1:0", "--database", "bench.db"]);
        command.current_dir(directory.path()).stdin(Stdio::null()).stderr(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut program = Self { child, addr, stdout, _directory: directory };
        let mut line = String::new();
        program.stdout.read_line(&mut line).expect("the program prints its address");
        let addr = line.trim().strip_prefix("listening on http://").expect("an address");
        program.addr = addr.parse().expect("an address");
        program
    }

    /// Sends one request and returns the JSON of the response, which must have the status 200.
    pub fn call(&self, request: Bytes) -> Value {
        let addr = self.addr;
        generate(move || async move {
            let mut connection = Connection::open(addr).await;
            serde_json::from_slice(connection.expect(200, &request).await).expect("JSON")
        })
    }

    /// Returns the resident memory of the process, in MB.
    pub fn resident_mb(&self) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).expect("the process runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1_024.0 / 1e6
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails if the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
