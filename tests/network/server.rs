//! A server on the host of the servers, and its clients.

use std::process::Output;

use serde_json::Value;

use crate::hosts::Hosts;
use crate::kit::process::longshore;
use crate::kit::{Server, Setup};

/// How clients show that they may use the server. There are no keys yet, so a server needs an option.
#[derive(Clone, Copy, Default)]
pub(crate) struct Access;

impl Access {
    /// Returns the options of `longshore serve`.
    pub(crate) fn serve_options(self) -> Vec<&'static str> {
        vec!["--insecure-no-keys"]
    }

    /// Returns the options of commands that call the server.
    fn command_options(self) -> Vec<String> {
        Vec::new()
    }

    /// Returns the options of curl.
    fn curl_options(self) -> Vec<String> {
        Vec::new()
    }
}

/// Starts a server on the host of the servers. `setup` has its listeners.
pub(crate) fn start(hosts: &Hosts, setup: Setup) -> Server {
    setup.wrapper(&hosts.on_server()).start()
}

/// Clients on the other host.
pub(crate) struct Client<'a> {
    pub(crate) hosts: &'a Hosts,
    pub(crate) access: Access,
    /// URL of the server.
    pub(crate) url: String,
    /// Path of the certificate of its authority.
    pub(crate) ca: String,
}

impl Client<'_> {
    /// Runs a command of the program.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        let access = self.access.command_options();
        let mut command =
            self.hosts.client_command(longshore(&[]).get_program().to_str().unwrap(), arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LONGSHORE_") {
                command.env_remove(name);
            }
        }
        command.args(["--url", &self.url, "--ca", &self.ca]).args(access).output().unwrap()
    }

    /// Runs curl and returns what it printed.
    pub(crate) fn curl(&self, path: &str, options: &[&str]) -> String {
        let access = self.access.curl_options();
        let access: Vec<&str> = access.iter().map(String::as_str).collect();
        let url = format!("{}{path}", self.url);
        let own = ["--silent", "--show-error", "--max-time", "60", "--cacert", &self.ca, &url];
        let output = self.hosts.on_client("curl", &[&own[..], options, &access].concat());
        assert!(output.status.success(), "{path}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs curl and returns the JSON that it printed.
    pub(crate) fn json(&self, path: &str, options: &[&str]) -> Value {
        let text = self.curl(path, options);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// Submits a job that sleeps, and checks that its events arrive while it runs and not all at its end.
    pub(crate) fn assert_events_pass_as_they_happen(&self) {
        let job = r#"{"kind": "sleep", "payload": {"duration": "1s"}}"#;
        let job = self.json("/v1/jobs", &["--json", job]);
        // curl prints the time before each read: `-w` has only the times of the first byte and of the end.
        let times = self.curl(
            &format!("/v1/jobs/{}/events", job["id"]),
            &["--no-buffer", "--write-out", "\n%{time_starttransfer} %{time_total}"],
        );
        let (events, times) = times.trim_end().rsplit_once('\n').unwrap();
        assert!(events.contains("completed"), "{events}");
        let times: Vec<f64> = times.split(' ').map(|time| time.parse().unwrap()).collect();
        assert!(times[1] - times[0] > 0.5, "the first event came with the last: {times:?}");
    }

    /// Asserts that a command submits a job and waits for it.
    pub(crate) fn assert_runs_a_job(&self) {
        let output = self.command(&["submit", "echo", "7", "--wait"]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "7");
    }
}
