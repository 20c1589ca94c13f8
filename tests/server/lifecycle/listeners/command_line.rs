//! The command line over TLS and over a Unix socket.

use std::path::Path;
use std::process::{Command, Output};

use crate::kit::process::longshore;
use crate::kit::{Server, Setup, is_installed, skip, tls};

fn start_with_tls() -> Server {
    let setup = Setup::new();
    let config = tls::install("first", setup.directory());
    let socket = format!("unix:{}", setup.directory().join("a.sock").display());
    setup.config(config).option("--listen").option(&socket).start()
}

fn run(args: &[&str]) -> Output {
    longshore(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn commands_work_over_tls_with_the_authority_and_not_without() {
    let server = start_with_tls();
    let url = format!("https://{}", server.addr());
    let ca = tls::file("ca.pem");
    let ca = ca.to_str().unwrap();
    let submit = ["submit", "echo", "7", "--wait", "--url", &url];
    assert_eq!(stdout(&run(&[&submit[..], &["--ca", ca]].concat())).trim(), "7");
    let by_variable = longshore(&["list", "--json"])
        .envs([("LONGSHORE_URL", url.as_str()), ("LONGSHORE_CA", ca)])
        .output();
    assert!(stdout(&by_variable.unwrap()).contains("completed"));
    let output = run(&submit);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(
        stderr(&output).contains("is not trusted; give the file of its authority with --ca"),
        "{output:?}"
    );
    // Another authority does not help.
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/executor/tls/ca.pem");
    assert_eq!(run(&[&submit[..], &["--ca", other]].concat()).status.code(), Some(3));
    for file in ["/no/such/file.pem", tls::file("first.key").to_str().unwrap()] {
        let output = run(&[&submit[..], &["--ca", file]].concat());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains("--ca: ") && stderr(&output).contains(file), "{output:?}");
    }
}

/// Makes a self-signed certificate with `openssl`, and returns the configuration that uses it.
fn self_signed(directory: &Path, constraints: &str) -> String {
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| directory.join(name));
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", constraints, "-out"])
        .arg(&cert)
        .arg("-keyout")
        .arg(&key)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    format!("[tls]\ncert = '{}'\nkey = '{}'\n", cert.display(), key.display())
}

#[test]
fn a_self_signed_certificate_is_trusted_unless_it_is_marked_as_an_authority() {
    if !is_installed("openssl") {
        return skip("openssl is not installed");
    }
    let advice = "basicConstraints=critical,CA:FALSE";
    for (constraints, works) in [(advice, true), ("basicConstraints=critical,CA:TRUE", false)] {
        let setup = Setup::new();
        let config = self_signed(setup.directory(), constraints);
        let ca = setup.directory().join("cert.pem").display().to_string();
        let server = setup.config(config).start();
        let url = format!("https://{}", server.addr());
        let output = run(&["list", "--url", &url, "--ca", &ca]);
        assert_eq!(output.status.code(), Some(if works { 0 } else { 3 }), "{output:?}");
        assert_eq!(stderr(&output).contains(&format!("-addext {advice}")), !works, "{output:?}");
    }
}

#[test]
fn an_ipv6_address_and_a_name_work_over_tls() {
    let setup = Setup::new().listen("[::1]:0".parse().unwrap());
    let config = tls::install("first", setup.directory());
    let server = setup.config(config).start();
    let ca = tls::file("ca.pem");
    let ca = ca.to_str().unwrap();
    let url = format!("https://{}", server.addr());
    assert_eq!(
        stdout(&run(&["submit", "echo", "7", "--wait", "--url", &url, "--ca", ca])).trim(),
        "7"
    );
    let server = start_with_tls();
    let url = format!("https://localhost:{}", server.addr().port());
    assert_eq!(
        stdout(&run(&["submit", "echo", "7", "--wait", "--url", &url, "--ca", ca])).trim(),
        "7"
    );
    // The certificate is not for this name.
    let url = format!("https://127.0.0.2:{}", server.addr().port());
    let output = run(&["list", "--url", &url, "--ca", ca]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

#[test]
fn a_url_with_the_wrong_scheme_is_explained() {
    let server = start_with_tls();
    let output = run(&["list", "--url", &format!("http://{}", server.addr())]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(stderr(&output).contains("use a URL with https://"), "{output:?}");
    let plain = Server::start();
    let output = run(&["list", "--url", &format!("https://{}", plain.addr())]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(stderr(&output).contains("use a URL with http://"), "{output:?}");
}

#[test]
fn commands_work_over_a_unix_socket() {
    let server = start_with_tls();
    let url = format!("unix:{}", server.directory().join("a.sock").display());
    let output = run(&["submit", "echo", "7", "--wait", "--url", &url]);
    assert_eq!(stdout(&output).trim(), "7");
    let output = run(&["submit", "sleep", r#"{"duration": "1h"}"#, "--url", &url]);
    assert!(stdout(&output).contains(&format!("{url}:/v1/jobs/2")), "{output:?}");
    assert!(
        stdout(&longshore(&["list"]).env("LONGSHORE_URL", &url).output().unwrap())
            .contains("sleep")
    );
    let output = run(&["open", "--url", &url]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let missing = format!("{url}.missing");
    let output = run(&["list", "--url", &missing]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(stderr(&output).contains(&missing), "{output:?}");
}
