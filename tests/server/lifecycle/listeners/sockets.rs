//! Several listeners, and Unix sockets.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::open_socket;
use crate::kit::{Connection, Server, Setup, echo, eventually, sleep};

/// Starts a server on a free port and on a Unix socket in its directory.
fn start_with_socket(mode: &str) -> Server {
    let setup = Setup::new();
    let socket = format!("unix:{}{mode}", setup.directory().join("a.sock").display());
    setup.option("--listen").option(&socket).start()
}

#[test]
fn two_listeners_serve_the_same_jobs() {
    let server = Setup::new().option("--listen").option("127.0.0.2:0").start();
    let port: u16 = eventually("the log names both listeners", || {
        let log = server.log();
        // The whole line, so that the port is complete.
        let (_, second) = log.rsplit_once('\n')?.0.split_once("http://127.0.0.2:")?;
        second.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
    });
    let second = SocketAddr::from(([127, 0, 0, 2], port));
    let answer = Connection::open(second).unwrap().post("/v1/jobs", &echo(7)).unwrap();
    let id = answer.expect(202)["id"].as_i64().unwrap();
    assert_eq!(server.wait_until_final(id)["result"], json!(7));
}

#[test]
fn a_unix_socket_serves_the_same_jobs_and_is_removed_at_the_end() {
    let mut server = start_with_socket("?mode=0660");
    let path = server.directory().join("a.sock");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o660);
    let answer = open_socket(&path).post("/v1/jobs", &echo("over a socket")).unwrap();
    let id = answer.expect(202)["id"].as_i64().unwrap();
    assert_eq!(server.wait_until_final(id)["result"], json!("over a socket"));
    server.terminate();
    assert!(server.wait_for_exit().success());
    assert!(!path.exists());
}

#[test]
fn a_second_signal_removes_the_socket_as_well() {
    let mut server = start_with_socket("");
    let path = server.directory().join("a.sock");
    server.wait_for_state(server.submit(&sleep("1h")), "running");
    server.terminate();
    eventually("the server drains", || server.log().contains("draining").then_some(()));
    server.terminate();
    assert!(server.wait_for_exit().success());
    assert!(!path.exists());
}

#[test]
fn a_socket_is_private_unless_its_mode_says_otherwise() {
    let server = start_with_socket("");
    let path = server.directory().join("a.sock");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn the_socket_of_a_killed_server_is_replaced_and_that_of_a_running_one_is_not() {
    let mut server = start_with_socket("");
    let path = server.directory().join("a.sock");
    server.kill();
    assert!(path.exists());
    server.restart();
    assert_eq!(open_socket(&path).request("GET", "/healthz", &[], b"").unwrap().status, 200);
    let other = Setup::new().option("--listen").option(&format!("unix:{}", path.display()));
    let output = other.fail();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("another server listens on this socket"), "{text}");
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    assert_eq!(open_socket(&path).request("GET", "/healthz", &[], b"").unwrap().status, 200);
}

#[test]
fn a_server_that_does_not_start_leaves_no_socket_behind() {
    let running = Server::start();
    let taken = running.addr().to_string();
    for (option, value) in
        [("--listen", taken.as_str()), ("--database", running.database().to_str().unwrap())]
    {
        let setup = Setup::new();
        let path = setup.directory().join("a.sock");
        let socket = format!("unix:{}", path.display());
        let setup = setup.option("--listen").option(&socket);
        let setup = if option == "--listen" {
            setup.option(option).option(value)
        } else {
            setup.database(value)
        };
        assert_eq!(setup.fail().status.code(), Some(1), "{option}");
        assert!(!path.exists(), "{option}");
    }
}

#[test]
fn a_path_that_cannot_be_a_socket_is_reported() {
    let setup = Setup::new();
    let file = setup.directory().join("file");
    std::fs::write(&file, "kept").unwrap();
    let missing = setup.directory().join("missing/a.sock");
    let file = setup.option("--listen").option(&format!("unix:{}", file.display()));
    for (setup, expected) in [
        (file, "a file that is not a socket"),
        (
            Setup::new().option("--listen").option(&format!("unix:{}", missing.display())),
            "No such file or directory",
        ),
    ] {
        let output = setup.fail();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("cannot listen on unix:/") && text.contains(expected), "{text}");
    }
}

#[test]
fn an_exposed_address_is_served_with_the_word_of_the_operator_and_a_warning_at_every_start() {
    let exposed = Setup::new().option("--listen").option("0.0.0.0:0");
    let output = exposed.fail();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let exposed = Setup::new().option("--listen").option("0.0.0.0:0").option("--insecure-no-keys");
    // The warning comes before the last line of a start.
    let warnings = |server: &Server, starts: usize| {
        eventually("the start is logged", || {
            (server.log().matches("available to jobs").count() == starts).then_some(())
        });
        server.log().matches("no key is required").count()
    };
    let mut server = exposed.start();
    assert_eq!(warnings(&server, 1), 1);
    server.kill();
    server.restart();
    assert_eq!(warnings(&server, 2), 2);
    let local = Setup::new().option("--insecure-no-keys").start();
    assert_eq!(warnings(&local, 1), 0);
}
