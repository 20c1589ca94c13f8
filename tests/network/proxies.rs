//! Caddy and nginx before the server, by the recipes of docs/DEPLOYING.md.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::hosts::{Hosts, SERVER};
use crate::kit::{Server, Setup, echo, eventually, is_installed, skip, tls};
use crate::recipe::{block, replaced};
use crate::server::{Access, Client, start};

/// Name by which the clients call the proxy.
const NAME: &str = "jobs.example";

/// A proxy that is killed when it is dropped, with its own children.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        // Fails if it has ended.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

/// Starts a proxy on the host of the servers.
fn start_proxy(hosts: &Hosts, program: &str, arguments: &[&str], home: &Path) -> Proxy {
    let prefix = hosts.on_server();
    let mut command = Command::new(prefix[0]);
    command.args(&prefix[1..]).arg(program).args(arguments);
    command.env("HOME", home).env("XDG_DATA_HOME", home).env("XDG_CONFIG_HOME", home);
    Proxy(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// Starts a server with the configuration of the recipe, and waits in vain for nobody: it serves a socket.
fn start_server(hosts: &Hosts) -> Server {
    let setup = Setup::new();
    let config = block("toml", "trusted_proxies");
    let socket = setup.directory().join("longshore.sock");
    let config = replaced(&config, &[("/run/longshore/longshore.sock", socket.to_str().unwrap())]);
    let listen = config.lines().find_map(|line| line.strip_prefix("listen = ")).unwrap().to_owned();
    let rest = config.lines().filter(|line| !line.starts_with("listen")).collect::<Vec<_>>();
    let setup = setup.config(rest.join("\n"));
    start(hosts, setup.option("--listen").option(listen.trim_matches('"')))
}

/// Asserts that everything works through a proxy.
fn assert_works_through(hosts: &Hosts) {
    let client = Client {
        hosts,
        access: Access,
        url: format!("https://{NAME}"),
        ca: tls::file("ca.pem").to_str().unwrap().into(),
    };
    eventually("the proxy answers", || {
        let address = format!("{NAME}:443:{SERVER}");
        let own =
            ["-sf", "--cacert", &client.ca, "--resolve", &address, "https://jobs.example/healthz"];
        hosts.on_client("curl", &own).status.success().then_some(())
    });
    client.assert_runs_a_job();
    client.assert_events_pass_as_they_happen();
    // The pages name the public URL, whatever the client says.
    let lies = ["-H", "X-Forwarded-Proto: http", "-H", "X-Forwarded-Host: evil.example"];
    let page = client.curl("/demo", &lies);
    assert!(page.contains("https://jobs.example/v1/"), "{page}");
    assert!(!page.contains("evil.example"), "{page}");
    // A page of this site may call the API, and one of another site may not.
    let status = |origin: &str| {
        let origin = format!("Origin: {origin}");
        client.curl("/v1/queues", &["-H", &origin, "-o", "/dev/null", "-w", "%{http_code}"])
    };
    assert_eq!(status("https://jobs.example"), "200");
    assert_eq!(status("https://evil.example"), "403");
    // A large payload, and a request that waits.
    let job = echo("x".repeat(2 << 20)).to_string();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), job).unwrap();
    let body = format!("@{}", file.path().display());
    let job = client.json("/v1/jobs?wait=30s", &["--json", &body]);
    assert_eq!(job["state"], "failed", "a result of 2 MiB is too large");
    assert_eq!(job["error"]["code"], "result_too_large");
}

#[test]
fn nginx_passes_everything_on_by_its_recipe() {
    if !is_installed("nginx") {
        return skip("nginx is not installed");
    }
    let Some(hosts) = Hosts::new() else { return };
    hosts.name_server(NAME);
    let server = start_server(&hosts);
    let directory = server.directory();
    tls::install("first", directory);
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let recipe = replaced(
        &block("nginx", "upstream longshore"),
        &[
            ("/run/longshore/longshore.sock", &path("longshore.sock")),
            ("/etc/ssl/jobs.example.pem", &path("cert.pem")),
            ("/etc/ssl/private/jobs.example.key", &path("key.pem")),
        ],
    );
    // The rest of what a distribution puts around it. Its workers run as root here, and so reach the socket.
    let around = format!(
        "user root; daemon off; worker_processes 1; pid {pid}; error_log {log};\n\
         events {{}}\nhttp {{ access_log off; client_body_temp_path {body}; proxy_temp_path {temp}; \
         fastcgi_temp_path {temp}; uwsgi_temp_path {temp}; scgi_temp_path {temp};\n{recipe} }}",
        pid = path("nginx.pid"),
        log = path("nginx.log"),
        body = path("body"),
        temp = path("temp"),
    );
    std::fs::write(directory.join("nginx.conf"), around).unwrap();
    let conf = path("nginx.conf");
    let _proxy = start_proxy(&hosts, "nginx", &["-e", &path("nginx.log"), "-c", &conf], directory);
    assert_works_through(&hosts);
}

#[test]
fn caddy_passes_everything_on_by_its_recipe() {
    if !is_installed("caddy") {
        return skip("caddy is not installed");
    }
    let Some(hosts) = Hosts::new() else { return };
    hosts.name_server(NAME);
    let server = start_server(&hosts);
    let directory = server.directory();
    tls::install("first", directory);
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    // With files instead of a certificate from a public authority, which cannot reach this host.
    let site = format!("{NAME} {{\n\ttls {} {}", path("cert.pem"), path("key.pem"));
    let recipe = replaced(
        &block("caddyfile", "reverse_proxy"),
        &[
            ("/run/longshore/longshore.sock", &path("longshore.sock")),
            (&format!("{NAME} {{"), &site),
        ],
    );
    std::fs::write(directory.join("Caddyfile"), format!("{{\n\tadmin off\n}}\n{recipe}")).unwrap();
    let file = path("Caddyfile");
    let arguments = ["run", "--config", &file, "--adapter", "caddyfile"];
    let _proxy = start_proxy(&hosts, "caddy", &arguments, directory);
    assert_works_through(&hosts);
}
