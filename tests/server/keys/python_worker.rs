//! `examples/worker.py` with an API key.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;

use super::{call, create, damaged, first_key};
use crate::kit::leases::remote;
use crate::kit::{Server, Setup, eventually, is_installed, skip, with};

/// Returns the command of a worker, with a key in its environment.
fn worker(server: &Server, key: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/worker.py"));
    command.args(["--url", &server.url(), "--grace", "1"]).env("LONGSHORE_KEY", key);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits until a worker has ended by itself. Returns its messages, which must not contain its key.
fn end_of(mut command: Command, key: &str) -> String {
    let mut child = command.spawn().unwrap();
    let status = eventually("the worker ends", || child.try_wait().unwrap());
    let Output { stdout, stderr, .. } = child.wait_with_output().unwrap();
    let text = String::from_utf8([stdout, stderr].concat()).unwrap();
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(key.is_empty() || !text.contains(key), "{text}");
    text
}

#[test]
fn a_python_worker_runs_the_jobs_of_the_queues_of_its_key() {
    if !is_installed("python3") {
        return skip("python3 is not installed");
    }
    let server = Server::start();
    let words = |queue: &str| {
        let payload = json!({"text": "two words"});
        with(remote(0), &json!({"kind": "count-words", "payload": payload, "queue": queue}))
    };
    let (other, own) = (server.submit(&words("blog.words")), server.submit(&words("shop.words")));
    let ops = first_key(&server);
    let request = json!({"name": "worker", "scopes": ["work"], "queues": ["shop.*"]});
    let key = create(&server, &ops, &request);
    let mut child = worker(&server, &key.secret).spawn().unwrap();
    let job = |id: i64| call(&server, &ops, "GET", &format!("/v1/jobs/{id}"), None).expect(200);
    let done = eventually("the job is completed", || {
        Some(job(own)).filter(|job| job["state"] == "completed")
    });
    assert_eq!(done["result"], json!({"words": 2}));
    assert_eq!(job(other)["state"], "queued");
    // The worker waits for leases when its key is revoked.
    call(&server, &ops, "DELETE", &format!("/v1/keys/{}", key.id), None).expect(200);
    let status = eventually("the worker ends", || child.try_wait().unwrap());
    let text = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(text.contains("the server refuses this worker, status 401"), "{text}");
    assert!(!text.contains(&key.secret) && !server.log().contains(&key.secret), "{text}");
}

#[test]
fn a_python_worker_ends_if_its_key_is_refused_and_says_why() {
    if !is_installed("python3") {
        return skip("python3 is not installed");
    }
    let server = Server::start();
    let ops = first_key(&server);
    let submit = create(&server, &ops, &json!({"name": "app", "scopes": ["submit"]}));
    let damaged = damaged(&ops);
    for (key, status, why) in [
        ("", 401, "a key is needed"),
        (&*damaged.secret, 401, "its checksum is wrong"),
        (&*submit.secret, 403, "this needs a key with the scope work"),
    ] {
        for processes in ["1", "2"] {
            let mut command = worker(&server, key);
            command.args(["--processes", processes]);
            let text = end_of(command, key);
            assert!(text.contains(&format!("status {status}: ")) && text.contains(why), "{text}");
            assert!(text.contains("set LONGSHORE_KEY"), "{text}");
        }
    }
}

#[test]
fn a_python_worker_ends_if_its_key_is_revoked_while_a_job_runs() {
    if !is_installed("python3") {
        return skip("python3 is not installed");
    }
    let server = Setup::new().start();
    let fields = json!({"kind": "wait", "payload": {"seconds": 300}, "timeout": "1h"});
    let id = server.submit(&with(remote(0), &fields));
    let ops = first_key(&server);
    let key = create(&server, &ops, &json!({"name": "worker", "scopes": ["work"]}));
    let mut command = worker(&server, "");
    // The option counts more than the variable. The worker polls for no further job while it runs one.
    command.args(["--key", &format!(" {}\n", key.secret), "--lease", "1", "--threads", "1"]);
    let mut child = command.spawn().unwrap();
    eventually("the job runs", || {
        let job = call(&server, &ops, "GET", &format!("/v1/jobs/{id}"), None).expect(200);
        (job["state"] == "running").then_some(())
    });
    call(&server, &ops, "DELETE", &format!("/v1/keys/{}", key.id), None).expect(200);
    let status = eventually("the worker ends", || child.try_wait().unwrap());
    let text = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(text.contains("status 401") && !text.contains(&key.secret), "{text}");
}

#[test]
fn a_python_worker_does_not_repeat_a_key_that_cannot_be_sent() {
    if !is_installed("python3") {
        return skip("python3 is not installed");
    }
    let server = Server::start();
    first_key(&server);
    for key in ["hunter2 hunter3", "hunter2\nX-Evil: 1", "hunter2é", "hunter2\u{2028}x"] {
        let text = end_of(worker(&server, key), "hunter2");
        assert!(text.contains("the key must be the text that"), "{text}");
        let mut command = worker(&server, "");
        command.args(["--key", key]);
        assert!(end_of(command, "hunter2").contains("the key must be the text that"));
    }
}
