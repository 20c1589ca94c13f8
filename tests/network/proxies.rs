//! Caddy and nginx before the server, by the recipes of docs/DEPLOYING.md, and a key.

use std::path::Path;
use std::process::{Child, Stdio};

use crate::access::{Access, start};
use crate::client::Client;
use crate::hosts::{Hosts, SERVER};
use crate::kit::{Server, Setup, echo, eventually, is_installed, skip, tls};
use crate::pages::assert_a_user_works_with_the_pages;
use crate::recipe::{block, replaced};

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
    let mut command = hosts.server_command(program, arguments);
    command.env("HOME", home).env("XDG_DATA_HOME", home).env("XDG_CONFIG_HOME", home);
    Proxy(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// The proxy as the server knows it.
#[derive(Clone, Copy)]
enum Known {
    /// It is trusted, as in the recipe.
    Trusted,
    /// It is unknown to a server that needs no key from programs of its machine.
    UnknownAndKeyless,
}

/// Starts a server with the configuration of the recipe. Its listener is a socket.
fn start_server(hosts: &Hosts, access: &Access, proxy: Known) -> Server {
    let setup = Setup::new();
    let config = block("toml", "trusted_proxies");
    let socket = setup.directory().join("longshore.sock");
    let config = replaced(&config, &[("/run/longshore/longshore.sock", socket.to_str().unwrap())]);
    let listen = config.lines().find_map(|line| line.strip_prefix("listen = ")).unwrap().to_owned();
    let rest = config.lines().filter(|line| !line.starts_with("listen"));
    let rest = rest.collect::<Vec<_>>().join("\n");
    let config = match proxy {
        Known::Trusted => rest,
        Known::UnknownAndKeyless => {
            replaced(&rest, &[("trusted_proxies = [\"unix\"]", "keyless_loopback = true")])
        }
    };
    let setup = setup.config(config).option("--listen").option(listen.trim_matches('"'));
    start(hosts, setup, access)
}

/// Returns a client of the proxy, as soon as that answers.
fn client_of_proxy<'a>(hosts: &'a Hosts, access: &Access) -> Client<'a> {
    let client = Client::at(hosts, format!("https://{NAME}"), access);
    eventually("the proxy answers", || {
        let address = format!("{NAME}:443:{SERVER}");
        let own =
            ["-sf", "--cacert", &client.ca, "--resolve", &address, "https://jobs.example/healthz"];
        hosts.on_client("curl", &own).status.success().then_some(())
    });
    client
}

/// Asserts that everything works through a proxy.
fn assert_works_through(hosts: &Hosts, access: &Access) {
    let client = client_of_proxy(hosts, access);
    client.assert_needs_a_key();
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
    assert_a_user_works_with_the_pages(hosts, &client.url, access);
}

/// Asserts that programs of the server's machine need no key, and that clients of the proxy need one.
fn assert_only_local_programs_need_no_key(hosts: &Hosts, server: &Server, access: &Access) {
    let socket = server.directory().join("longshore.sock");
    let status = |options: &[&str]| {
        let own = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "http://localhost/v1/queues"];
        let socket = ["--unix-socket", socket.to_str().unwrap()];
        let output = hosts.server_command("curl", &[&own[..], &socket, options].concat()).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let client = client_of_proxy(hosts, access);
    assert_eq!(status(&[]), "200");
    assert_eq!(status(&["-H", "X-Forwarded-For: 10.77.0.2"]), "401");
    assert_eq!(status(&["-H", "Forwarded: for=10.77.0.2"]), "401");
    client.assert_needs_a_key();
    client.assert_runs_a_job();
}

/// Starts nginx by its recipe, with its files in the directory of the server.
fn start_nginx(hosts: &Hosts, directory: &Path) -> Proxy {
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
    start_proxy(hosts, "nginx", &["-e", &path("nginx.log"), "-c", &conf], directory)
}

/// Starts Caddy by its recipe, with its files in the directory of the server.
fn start_caddy(hosts: &Hosts, directory: &Path) -> Proxy {
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
    start_proxy(hosts, "caddy", &arguments, directory)
}

/// Function that starts a proxy.
type StartProxy = fn(&Hosts, &Path) -> Proxy;

/// Starts two hosts with a server and a proxy, and passes them to a test.
fn with_proxy(
    program: &str,
    start_proxy: StartProxy,
    known: Known,
    test: impl FnOnce(&Hosts, &Server, &Access),
) {
    if !is_installed(program) {
        return skip(&format!("{program} is not installed"));
    }
    let Some(hosts) = Hosts::new() else { return };
    hosts.name_server(NAME);
    let access = Access::with_new_key();
    let server = start_server(&hosts, &access, known);
    let _proxy = start_proxy(&hosts, server.directory());
    test(&hosts, &server, &access);
}

#[test]
fn nginx_passes_everything_on_by_its_recipe() {
    let test = |hosts: &Hosts, _: &Server, access: &Access| assert_works_through(hosts, access);
    with_proxy("nginx", start_nginx, Known::Trusted, test);
}

#[test]
fn caddy_passes_everything_on_by_its_recipe() {
    let test = |hosts: &Hosts, _: &Server, access: &Access| assert_works_through(hosts, access);
    with_proxy("caddy", start_caddy, Known::Trusted, test);
}

#[test]
fn clients_of_nginx_need_a_key_although_local_programs_need_none() {
    with_proxy(
        "nginx",
        start_nginx,
        Known::UnknownAndKeyless,
        assert_only_local_programs_need_no_key,
    );
}

#[test]
fn clients_of_caddy_need_a_key_although_local_programs_need_none() {
    with_proxy(
        "caddy",
        start_caddy,
        Known::UnknownAndKeyless,
        assert_only_local_programs_need_no_key,
    );
}
