//! The setup of a server process: its configuration, variables and options.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::kit::TEST_TIMEOUT;
use crate::kit::process::{Server, longshore};
use crate::kit::wrapper::wrapped;

/// Setup of a server that is to be started.
pub(crate) struct Setup {
    pub(super) directory: Arc<TempDir>,
    pub(super) database: PathBuf,
    config: String,
    env: Vec<(String, String)>,
    options: Vec<String>,
    /// Program that starts the server, with its arguments; empty if it is started directly.
    wrapper: Vec<String>,
    /// Address to listen on. Port 0 means a free port.
    pub(super) listen: SocketAddr,
    /// Whether the server gets its settings from environment variables only.
    has_only_variables: bool,
    /// Whether jobs may call servers of this machine, as the targets of most tests are.
    has_loopback: bool,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let database = directory.path().join("longshore.db");
        let (config, env, options, wrapper) = (String::new(), Vec::new(), Vec::new(), Vec::new());
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let (has_only_variables, has_loopback) = (false, true);
        Self {
            directory,
            database,
            config,
            env,
            options,
            wrapper,
            listen,
            has_only_variables,
            has_loopback,
        }
    }

    /// Sets the configuration, in TOML.
    pub(crate) fn config(mut self, toml: impl Into<String>) -> Self {
        self.config = toml.into();
        self
    }

    /// Adds an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Adds an option of `serve`.
    pub(crate) fn option(mut self, option: &str) -> Self {
        self.options.push(option.into());
        self
    }

    /// Starts the server through this program, which must end by executing its last arguments.
    pub(crate) fn wrapper(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|part| (*part).to_owned()).collect();
        self
    }

    /// Starts the server in a shell after these commands.
    pub(crate) fn after(self, commands: &str) -> Self {
        self.wrapper(&["sh", "-c", &format!("{commands} && exec \"$0\" \"$@\"")])
    }

    /// Sets the first address to listen on.
    pub(crate) fn listen(mut self, listen: SocketAddr) -> Self {
        self.listen = listen;
        self
    }

    /// Gives the server no configuration file and no options of this setup, but only its variables.
    pub(crate) fn only_variables(mut self) -> Self {
        self.has_only_variables = true;
        self
    }

    /// Leaves the networks that jobs may call to the configuration, so that without settings they are the
    /// public ones.
    pub(crate) fn without_loopback(mut self) -> Self {
        self.has_loopback = false;
        self
    }

    /// Sets the path of the database.
    pub(crate) fn database(mut self, path: impl Into<PathBuf>) -> Self {
        self.database = path.into();
        self
    }

    /// Returns a directory that is removed with the server.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the command that starts the server.
    pub(crate) fn command(&self) -> Command {
        let mut command = longshore(&["serve"]);
        if !self.has_only_variables {
            let config = self.directory.path().join("longshore.toml");
            std::fs::write(&config, &self.config).unwrap();
            command.args(["--listen", &self.listen.to_string()]);
            command.arg("--config").arg(config).arg("--database").arg(&self.database);
        }
        command.args(&self.options);
        if self.has_loopback {
            command.env("LONGSHORE_OUTBOUND__ALLOW_NETWORKS", "127.0.0.0/8,::1");
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        wrapped(command, &self.wrapper)
    }

    /// Starts the server and waits until it listens.
    pub(crate) fn start(self) -> Server {
        Server::of(self)
    }

    /// Runs a server that cannot start until it ends, and returns its output.
    pub(crate) fn fail(&self) -> Output {
        let mut command = self.command();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let started = Instant::now();
        while child.try_wait().unwrap().is_none() && started.elapsed() < TEST_TIMEOUT {
            std::thread::sleep(Duration::from_millis(10));
        }
        // If the server runs nevertheless, it is killed, so its exit status is not a success.
        let _ = child.kill();
        child.wait_with_output().unwrap()
    }
}
