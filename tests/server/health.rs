//! Starting, and being there.

use std::net::TcpListener;

use crate::kit::process::longshore;
use crate::kit::{Server, Setup};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_server_that_serves_is_alive_and_ready() {
    let server = Server::start();
    assert_eq!(server.get("/healthz").expect(200)["status"], "ok");
    assert_eq!(server.get("/readyz").expect(200)["status"], "ready");
    assert!(server.addr().ip().is_loopback());
}

#[test]
fn a_second_server_on_one_database_is_refused_clearly() {
    let mut server = Server::start();
    let output = Setup::new().database(server.database()).fail();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let path = server.database().display().to_string();
    let error = text(&output.stderr);
    assert!(error.contains("another process serves") && error.contains(&path), "{error}");
    server.is_well();
    // And once the first has ended, however it did, the second may.
    server.kill();
    server.start_again();
}

#[test]
fn a_port_that_is_taken_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("a.db");
    let output = longshore(&["serve", "--listen", &addr, "--database"]).arg(database).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains(&format!("cannot listen on {addr}")), "{error}");
}

#[test]
fn a_database_that_cannot_be_opened_is_told() {
    let setup = Setup::new();
    let missing = setup.directory().join("no/such/place.db");
    let output = Setup::new().database(&missing).fail();
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains(&missing.display().to_string()), "{error}");
    assert!(error.contains("No such file or directory"), "{error}");
    let garbage = setup.directory().join("garbage.db");
    std::fs::write(&garbage, "this is no database, and long enough to be looked at".repeat(20))
        .unwrap();
    let output = Setup::new().database(&garbage).fail();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("not a database"), "{}", text(&output.stderr));
    let untouched = std::fs::read(&garbage).unwrap();
    assert!(untouched.starts_with(b"this is no database"));
}
