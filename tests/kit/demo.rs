//! `longshore demo` as it goes on serving.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use crate::kit::process::longshore;

/// The process. It is killed when this is dropped.
pub(crate) struct Demo {
    child: Child,
    pub(crate) addr: SocketAddr,
    /// What it has printed by then.
    pub(crate) told: String,
}

impl Demo {
    /// Starts one whose model server takes so long for an answer, and waits until it goes on serving.
    pub(crate) fn start(delay: &str) -> Self {
        let mut child = longshore(&["demo", "--delay", delay, "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut told = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while !told.ends_with("Ctrl-C ends it.\n") {
            let line = lines.next().unwrap_or_else(|| panic!("it has ended: {told}"));
            told += &format!("{}\n", line.unwrap());
        }
        std::thread::spawn(move || lines.count());
        let (_, rest) = told.split_once("goes on serving at http://").unwrap();
        let addr = rest.split(' ').next().unwrap().parse().unwrap();
        Self { child, addr, told }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Fails where it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
