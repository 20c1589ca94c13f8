//! A server that another host calls over TLS with a key.

use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::access::{Access, start};
use crate::client::Client;
use crate::hosts::{Hosts, SERVER};
use crate::kit::{Server, Setup, eventually, is_installed, skip, tls};
use crate::terminal::Terminal;

/// Returns the setup of a server with TLS on an address of the network.
pub(crate) fn setup() -> Setup {
    let setup = Setup::new();
    let config = tls::install("first", setup.directory());
    setup.config(config).listen(format!("{SERVER}:0").parse().unwrap())
}

/// Starts a server with TLS and a key, and returns it with the access by that key.
pub(crate) fn start_with_key(hosts: &Hosts) -> (Server, Access) {
    let access = Access::with_new_key();
    (start(hosts, setup(), &access), access)
}

#[test]
fn another_host_uses_the_server_over_tls_with_a_key() {
    let Some(hosts) = Hosts::new() else { return };
    let (server, access) = start_with_key(&hosts);
    let client = Client::of(&hosts, &server, &access);
    assert_eq!(client.json("/healthz", &[])["status"], "ok");
    client.assert_runs_a_job();
    client.assert_events_pass_as_they_happen();
    client.assert_needs_a_key();
    assert!(!server.log().contains(access.secret().unwrap()), "{}", server.log());
}

#[test]
fn an_address_of_the_network_is_refused_without_a_key() {
    let Some(hosts) = Hosts::new() else { return };
    let output = setup().wrapper(&hosts.on_server()).fail();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("which other machines can reach, needs a key"), "{text}");
}

#[test]
fn a_new_certificate_reaches_the_other_host() {
    let Some(hosts) = Hosts::new() else { return };
    let (server, access) = start_with_key(&hosts);
    let client = Client::of(&hosts, &server, &access);
    let subject = || {
        let output = hosts.on_client("curl", &["-sv", "--cacert", &client.ca, &client.url]);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(subject().contains("CN=first"), "{}", subject());
    tls::install("second", server.directory());
    eventually("the new certificate is used", || subject().contains("CN=second").then_some(()));
}

/// A worker that is killed when it is dropped.
struct Worker(Child);

impl Worker {
    /// Starts `examples/worker.py`, which trusts the authority by the variable of OpenSSL.
    fn start(client: &Client) -> Self {
        let arguments = ["examples/worker.py", "--url", &client.url];
        let mut command = client.program("python3", &arguments);
        command.current_dir(env!("CARGO_MANIFEST_DIR")).env("SSL_CERT_FILE", &client.ca);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Fails if it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_worker_on_the_other_host_runs_the_jobs_of_its_queues() {
    if !is_installed("python3") {
        return skip("python3 is not installed");
    }
    let Some(hosts) = Hosts::new() else { return };
    let (server, access) = start_with_key(&hosts);
    let ops = Client::of(&hosts, &server, &access);
    let own = |name: &str, scope: &str| {
        let key = json!({"name": name, "scopes": [scope], "queues": ["shop.*"]});
        ops.with_created_key(&key)
    };
    let (application, worker) = (own("shop", "submit"), own("shop worker", "work"));
    let payload = r#"{"text": "three words here"}"#;
    let submit = ["submit", "count-words", payload, "--lane", "remote", "--queue"];
    // The older job would be leased first, if the worker saw it.
    let other = ops.command(&[&submit[..], &["blog.words"]].concat());
    assert!(other.status.success(), "{other:?}");
    let _worker = Worker::start(&worker);
    let job = application.command(&[&submit[..], &["shop.words", "--wait=60s"]].concat());
    let result: Value = serde_json::from_slice(&job.stdout).unwrap_or_default();
    assert_eq!(result["words"], 3, "{job:?}");
    assert_eq!(ops.json("/v1/jobs/1", &[])["state"], "queued");
    // Neither key does what the other one is for.
    let refused = worker.command(&[&submit[..], &["shop.words"]].concat());
    assert!(!refused.status.success(), "{refused:?}");
    let lease = ["--json", r#"{"kinds": ["count-words"]}"#];
    assert_eq!(application.status("/v1/leases", &lease), "403");
}

#[test]
fn the_live_view_on_the_other_host_follows_the_server() {
    let Some(hosts) = Hosts::new() else { return };
    let (server, access) = start_with_key(&hosts);
    let ops = Client::of(&hosts, &server, &access);
    let watcher = ops.with_created_key(&json!({"name": "watcher", "scopes": ["read"]}));
    let Some(terminal) = Terminal::open(120, 40) else { return };
    let program = env!("CARGO_BIN_EXE_longshore");
    let Client { url, ca, access, .. } = &watcher;
    terminal.type_line(&format!(
        "ip netns exec {} env LONGSHORE_KEY={} {program} top --url {url} --ca {ca}",
        hosts.client_namespace(),
        access.secret().unwrap(),
    ));
    terminal.wait_for("top is drawn", |screen| {
        screen.contains("? help") && screen.contains(&server.addr().to_string())
    });
    let job = r#"{"kind": "sleep", "payload": {"duration": "1h"}, "queue": "reports"}"#;
    assert_eq!(ops.status("/v1/jobs", &["--json", job]), "202");
    terminal.wait_for("the job is shown", |screen| {
        screen.lines().any(|line| line.contains("sleep") && line.contains("reports"))
    });
    terminal.press("q");
    terminal.wait_for("the prompt is shown again", |screen| screen.trim_end().ends_with("\n$"));
}
