//! A disk whose flush fails (D4): nothing is promised, the server ends and says why.

use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::kit::{Connection, Server, echo, eventually, skip};

/// Makes every flush of a running server fail, where that can be done.
fn break_flushes(server: &Server) -> Option<Child> {
    let pid = server.pid().as_raw_nonzero().to_string();
    let output = server.directory().join("trace");
    let strace = Command::new("strace")
        .args(["-f", "-p", &pid, "-e", "trace=fdatasync,fsync"])
        .args(["-e", "inject=fdatasync,fsync:error=EIO", "-o"])
        .arg(output)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let is_traced = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        (!status.contains("TracerPid:\t0\n")).then_some(true)
    };
    let is_traced = strace.map(|mut child| {
        let ended = |child: &mut Child| child.try_wait().unwrap().map(|_| false);
        let is_traced = eventually("the tracer is there", || is_traced().or(ended(&mut child)));
        is_traced.then_some(child)
    });
    let why = match is_traced {
        Ok(Some(child)) => return Some(child),
        Ok(None) => "it may not trace the server".into(),
        Err(error) => error.to_string(),
    };
    skip(&format!("flushes cannot be made to fail without strace: {why}"));
    None
}

#[test]
fn a_flush_that_fails_ends_the_server_without_a_false_promise() {
    let mut server = Server::start();
    let kept = server.submit(&echo(1));
    server.finished(kept);
    let Some(mut strace) = break_flushes(&server) else { return };
    let headers = [("content-type", "application/json")];
    let body = echo(2).to_string();
    let answer = Connection::open(server.addr()).and_then(|mut connection| {
        connection.request("POST", "/v1/jobs", &headers, body.as_bytes())
    });
    if let Ok(answer) = answer {
        assert!(answer.status >= 500, "promised in vain: {answer:?}");
        answer.problem(500);
        assert_eq!(answer.json()["type"], "urn:longshore:problem:outcome-unknown");
    }
    assert_eq!(server.ended().code(), Some(1));
    strace.wait().unwrap();
    let log = server.log();
    assert!(log.contains("cannot go on") && log.contains("disk I/O error"), "{log}");
    server.start_again();
    assert_eq!(server.job(kept)["state"], "completed");
    let jobs = server.get("/v1/jobs").expect(200);
    assert!(jobs["jobs"].as_array().unwrap().len() <= 2, "{jobs}");
    assert_eq!(server.run(&echo(3))["result"], json!(3));
}
