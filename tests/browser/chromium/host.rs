//! The host on which a browser runs: this one, or a network namespace.

use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};

use crate::kit::Connection;

/// A host for browsers.
#[derive(Clone, Default)]
pub(crate) struct BrowserHost {
    /// Name of the network namespace, or `None` for that of the test.
    namespace: Option<String>,
    /// Further command-line flags of the browser.
    flags: Vec<String>,
}

impl BrowserHost {
    /// Returns the host of the test.
    pub(crate) fn local() -> Self {
        Self::default()
    }

    /// Returns the host that is a network namespace, with further flags for its browsers.
    pub(crate) fn namespace(name: &str, flags: Vec<String>) -> Self {
        Self { namespace: Some(name.into()), flags }
    }

    /// Returns the further command-line flags of the browser.
    pub(crate) fn flags(&self) -> impl Iterator<Item = &str> {
        self.flags.iter().map(String::as_str)
    }

    /// Returns a command that runs a program on this host. Its process has the id of the command.
    pub(crate) fn command(&self, program: &str) -> Command {
        let Some(namespace) = &self.namespace else { return Command::new(program) };
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace, program]);
        command
    }

    /// Connects to a port of the loopback address of this host.
    pub(crate) fn connect(&self, port: u16) -> Connection {
        if self.namespace.is_none() {
            return Connection::open(([127, 0, 0, 1], port).into()).unwrap();
        }
        Connection::over(Relay::start(self, port), &format!("127.0.0.1:{port}"))
    }
}

/// A connection from another network namespace: a shell there that copies its input to the connection,
/// and the connection to its output. Dropping it ends the shell.
struct Relay(Child);

impl Relay {
    fn start(host: &BrowserHost, port: u16) -> Self {
        let script = "exec 3<>\"/dev/tcp/127.0.0.1/$0\" || exit; cat <&3 & exec cat >&3";
        let mut command = host.command("bash");
        command.args(["-c", script, &port.to_string()]);
        Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    }
}

impl Read for Relay {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.stdout.as_mut().map_or(Ok(0), |stdout| stdout.read(buffer))
    }
}

impl Write for Relay {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.stdin.as_mut().map_or(Ok(0), |stdin| stdin.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.stdin.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Fails if it has ended. Its child ends with the connection.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
