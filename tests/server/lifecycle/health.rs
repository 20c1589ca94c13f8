//! Starting, health checks, errors at the start, and retention.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;

use crate::kit::process::longshore;
use crate::kit::{Server, Setup, echo, eventually, sleep, with};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_running_server_reports_that_it_is_alive_and_ready() {
    let server = Server::start();
    assert_eq!(server.get("/healthz").expect(200)["status"], "ok");
    assert_eq!(server.get("/readyz").expect(200)["status"], "ready");
    assert!(server.addr().ip().is_loopback());
}

#[test]
fn a_port_in_use_is_reported() {
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
fn a_database_that_cannot_be_opened_is_reported() {
    let setup = Setup::new();
    let missing = setup.directory().join("no/such/directory.db");
    let output = Setup::new().database(&missing).fail();
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains(&missing.display().to_string()), "{error}");
    assert!(error.contains("No such file or directory"), "{error}");
    let garbage = setup.directory().join("garbage.db");
    std::fs::write(&garbage, "this is another sort of file, long enough to be read".repeat(20))
        .unwrap();
    let output = Setup::new().database(&garbage).fail();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("not a database"), "{}", text(&output.stderr));
    let unchanged = std::fs::read(&garbage).unwrap();
    assert!(unchanged.starts_with(b"this is another sort of file"));
}

#[test]
fn a_server_that_cannot_listen_starts_no_job() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let mut server = Setup::new().config("shutdown_grace = '0s'").start();
    let job = with(sleep("1h"), &json!({"at_most_once": true, "delay": "300ms"}));
    let id = server.submit(&job);
    server.terminate();
    server.wait_for_exit();
    std::thread::sleep(Duration::from_millis(300));
    for _ in 0..5 {
        let mut command = longshore(&["serve", "--listen", &addr, "--database"]);
        let output = command.arg(server.database()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    }
    server.restart();
    assert_eq!(server.wait_for_state(id, "running")["attempt"], 1);
}

#[test]
fn final_jobs_are_deleted_after_the_retention_period() {
    let mut server = Setup::new().config("retention = '1s'").start();
    let old = server.run(&echo(1))["id"].as_i64().unwrap();
    let live = server.submit(&with(echo(2), &json!({"delay": "1h"})));
    server.kill();
    std::thread::sleep(Duration::from_millis(1_100));
    server.restart();
    eventually("the old job is deleted", || {
        (server.get(&format!("/v1/jobs/{old}")).status == 404).then_some(())
    });
    assert_eq!(server.job(live)["state"], "scheduled");
}
