//! The program itself, as a process of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;

use crate::load::{Connection, generate};
use crate::server;

/// The real program. It is killed when this is dropped.
pub struct Program {
    child: Child,
    pub addr: SocketAddr,
    stdout: BufReader<ChildStdout>,
    _directory: TempDir,
}

impl Program {
    /// Starts it on a new database and waits until it listens.
    pub fn start() -> Self {
        let directory = server::directory();
        let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
        let names = std::env::vars_os().map(|(name, _)| name);
        for name in names.filter(|name| name.to_string_lossy().starts_with("LONGSHORE_")) {
            command.env_remove(name);
        }
        command.args(["serve", "--listen", "127.0.0.1:0", "--database", "bench.db"]);
        command.current_dir(directory.path()).stdin(Stdio::null()).stderr(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut program = Self { child, addr, stdout, _directory: directory };
        let mut line = String::new();
        program.stdout.read_line(&mut line).expect("it says where it listens");
        let addr = line.trim().strip_prefix("listening on http://").expect("an address");
        program.addr = addr.parse().expect("an address");
        program
    }

    /// One request; its answer, which has to be 200.
    pub fn call(&self, request: Bytes) -> Value {
        let addr = self.addr;
        generate(move || async move {
            let mut connection = Connection::open(addr).await;
            serde_json::from_slice(connection.expect(200, &request).await).expect("JSON")
        })
    }

    /// Its resident memory in MB.
    pub fn resident(&self) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1_024.0 / 1e6
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails where it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
