//! Clients on the other host.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::access::Access;
use crate::hosts::Hosts;
use crate::kit::process::longshore;
use crate::kit::{Server, tls};

/// Clients on the other host.
pub(crate) struct Client<'a> {
    pub(crate) hosts: &'a Hosts,
    pub(crate) access: Access,
    /// URL of the server.
    pub(crate) url: String,
    /// Path of the certificate of its authority.
    pub(crate) ca: String,
}

impl<'a> Client<'a> {
    /// Returns a client of a server that serves TLS by itself.
    pub(crate) fn of(hosts: &'a Hosts, server: &Server, access: &Access) -> Self {
        Self::at(hosts, format!("https://{}", server.addr()), access)
    }

    /// Returns a client of the server at a URL.
    pub(crate) fn at(hosts: &'a Hosts, url: String, access: &Access) -> Self {
        let ca = tls::file("ca.pem").to_str().unwrap().into();
        Self { hosts, access: access.clone(), url, ca }
    }

    /// Returns the same client with another access.
    pub(crate) fn with(&self, access: Access) -> Self {
        Self { access, ..Self::at(self.hosts, self.url.clone(), &self.access) }
    }

    /// Creates a key, and returns the client that uses it.
    pub(crate) fn with_created_key(&self, request: &Value) -> Self {
        let key = self.json("/v1/keys", &["--json", &request.to_string()]);
        let secret = key["secret"].as_str().unwrap_or_else(|| panic!("{key}"));
        self.with(Access::with_key(secret))
    }

    /// Returns a command that runs a program on the other host, with the variables of this client only.
    pub(crate) fn program(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.hosts.client_command(program, arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LONGSHORE_") {
                command.env_remove(name);
            }
        }
        command.envs(self.access.variables());
        command
    }

    /// Runs a command of the program.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        let program = longshore(&[]);
        let mut command = self.program(program.get_program().to_str().unwrap(), arguments);
        command.args(["--url", &self.url, "--ca", &self.ca]).output().unwrap()
    }

    /// Returns the status of a request.
    pub(crate) fn status(&self, path: &str, options: &[&str]) -> String {
        self.curl(path, &[options, &["--output", "/dev/null", "-w", "%{http_code}"]].concat())
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

    /// Asserts that nobody gets anything from the server with a key that it does not accept, or without one.
    pub(crate) fn assert_needs_a_key(&self) {
        let revoked = self.with_created_key(&json!({"name": "revoked", "scopes": ["admin"]}));
        assert_eq!(revoked.status("/v1/queues", &[]), "200");
        let output = self.command(&["key", "revoke", "revoked"]);
        assert!(output.status.success(), "{output:?}");
        let unknown = Access::with_new_key();
        let mut damaged = unknown.secret().unwrap().to_owned();
        damaged.truncate(51);
        let nobody = [Access::without_key(), unknown, Access::with_key(&damaged), revoked.access];
        for access in nobody {
            let client = self.with(access);
            assert_eq!(client.status("/healthz", &[]), "200");
            for path in ["/v1/queues", "/v1/jobs/1", "/v1/jobs/1/events", "/nothing"] {
                assert_eq!(client.status(path, &[]), "401", "{path}");
            }
            let job = ["--json", r#"{"kind": "echo", "payload": 1}"#];
            assert_eq!(client.status("/v1/jobs", &job), "401");
            // What a client says about its address makes it no program of the server's machine.
            for header in
                ["X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "X-Real-IP: ::1"]
            {
                assert_eq!(client.status("/v1/queues", &["-H", header]), "401", "{header}");
            }
            let output = client.command(&["list"]);
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && text.contains("LONGSHORE_KEY"), "{output:?}");
        }
    }

    /// Asserts that a command submits a job and waits for it.
    pub(crate) fn assert_runs_a_job(&self) {
        let output = self.command(&["submit", "echo", "7", "--wait"]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "7");
    }
}
