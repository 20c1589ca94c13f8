//! `longshore demo` after its report, while it serves.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use crate::kit::process::longshore;

/// The process of the demonstration. It is killed when the value is dropped.
pub(crate) struct Demo {
    child: Child,
    pub(crate) addr: SocketAddr,
    /// Output of the process up to the end of its report.
    pub(crate) output: String,
}

impl Demo {
    /// Starts a demonstration whose model server takes `delay` for each answer, and waits for the
    /// end of its report.
    pub(crate) fn start(delay: &str) -> Self {
        let mut child = longshore(&["demo", "--delay", delay, "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while !output.ends_with("Press Ctrl-C to stop.\n") {
            let line =
                lines.next().unwrap_or_else(|| panic!("the demonstration has ended: {output}"));
            output += &format!("{}\n", line.unwrap());
        }
        std::thread::spawn(move || lines.count());
        let (_, after_scheme) = output.split_once("is serving at http://").unwrap();
        let addr = after_scheme.split(' ').next().unwrap().parse().unwrap();
        Self { child, addr, output }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Killing fails if the process has already ended, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
