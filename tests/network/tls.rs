//! A server that another host calls over TLS.

use std::process::Stdio;

use crate::hosts::{Hosts, SERVER};
use crate::kit::{Setup, eventually, tls};
use crate::server::{Access, Client, start};

fn setup() -> Setup {
    let setup = Setup::new();
    let config = tls::install("first", setup.directory());
    setup.config(config).listen(format!("{SERVER}:0").parse().unwrap())
}

#[test]
fn another_host_uses_the_server_over_tls() {
    let Some(hosts) = Hosts::new() else { return };
    let access = Access;
    let setup = access.serve_options().into_iter().fold(setup(), Setup::option);
    let server = start(&hosts, setup);
    let (url, ca) = (format!("https://{}", server.addr()), tls::file("ca.pem"));
    let client = Client { hosts: &hosts, access, url, ca: ca.to_str().unwrap().into() };
    assert_eq!(client.json("/healthz", &[])["status"], "ok");
    client.assert_runs_a_job();
    client.assert_events_pass_as_they_happen();
    // A worker on the other host, which trusts the authority by the variable of OpenSSL.
    if !crate::kit::is_installed("python3") {
        return crate::kit::skip("python3 is not installed");
    }
    let mut worker = hosts
        .client_command("python3", &["examples/worker.py", "--url", &client.url])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("SSL_CERT_FILE", &ca)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let payload = r#"{"text": "three words here"}"#;
    let job = client.command(&["submit", "count-words", payload, "--lane", "remote", "--wait=60s"]);
    worker.kill().unwrap();
    worker.wait().unwrap();
    let result: serde_json::Value = serde_json::from_slice(&job.stdout).unwrap_or_default();
    assert_eq!(result["words"], 3, "{job:?}");
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
    let setup = Access.serve_options().into_iter().fold(setup(), Setup::option);
    let server = start(&hosts, setup);
    let (url, ca) = (format!("https://{}", server.addr()), tls::file("ca.pem"));
    let client = Client { hosts: &hosts, access: Access, url, ca: ca.to_str().unwrap().into() };
    let subject = || {
        let output = hosts.on_client("curl", &["-sv", "--cacert", &client.ca, &client.url]);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(subject().contains("CN=first"), "{}", subject());
    tls::install("second", server.directory());
    eventually("the new certificate is used", || subject().contains("CN=second").then_some(()));
}
