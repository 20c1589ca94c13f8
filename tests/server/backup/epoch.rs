//! A copy is served: no worker from before finishes a job of it.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use super::{assert_sound, back_up};
use crate::kit::process::longshore;
use crate::kit::{Server, Setup};

/// Submits jobs for remote workers.
fn submit(server: &Server, count: usize) {
    let jobs = vec![json!({"kind": "work", "lane": "remote", "payload": 1}); count];
    server.post("/v1/jobs", &json!(jobs)).expect(202);
}

/// Leases jobs as a remote worker.
fn lease(server: &Server, limit: usize) -> Vec<Value> {
    let answer = server.post("/v1/leases", &json!({"limit": limit, "lease": "1h"})).expect(200);
    answer["jobs"].as_array().unwrap().clone()
}

fn act(server: &Server, held: &Value, verb: &str, fields: &Value) -> u16 {
    let mut body = fields.clone();
    body["lease_token"] = held["lease_token"].clone();
    server.post(&format!("/v1/leases/{}/{verb}", held["id"]), &body).status
}

/// Everything that a worker can say of a lease, all refused.
fn assert_refused(server: &Server, held: &Value) {
    let error = json!({"error": {"code": "broken", "message": "it broke"}});
    let says = [
        ("complete", json!({"result": "old"})),
        ("fail", error),
        ("release", json!({})),
        ("renew", json!({"progress": {"percent": 50}})),
    ];
    for (verb, fields) in &says {
        assert_eq!(act(server, held, verb, fields), 409, "{verb} of {held}");
    }
}

/// Completes all in one request and gives the status of each.
fn complete_all(server: &Server, held: &[Value]) -> Vec<i64> {
    let all: Vec<Value> = held
        .iter()
        .map(|job| {
            let (id, token) = (&job["id"], &job["lease_token"]);
            json!({"id": id, "lease_token": token, "action": "complete", "result": "old"})
        })
        .collect();
    let answer = server.post("/v1/leases/finish", &json!(all)).expect(200);
    let answers = answer["answers"].as_array().unwrap();
    answers.iter().map(|answer| answer["status"].as_i64().unwrap()).collect()
}

#[test]
fn a_worker_from_before_a_restore_finishes_nothing_of_it() {
    let original = Server::start();
    submit(&original, 3);
    let early = lease(&original, 1).remove(0);
    assert_eq!(act(&original, &early, "complete", &json!({"result": "old"})), 200);
    let held = lease(&original, 1).remove(0);
    let copy = back_up(&original, "copy.db");
    // The original goes on and gives a lease that the copy knows nothing of.
    let late = lease(&original, 1).remove(0);
    let restored = Setup::new().database(&copy).start();
    assert!(restored.log().contains("a new epoch begins"), "{}", restored.log());
    for old in [&early, &held, &late] {
        assert_refused(&restored, old);
    }
    assert_eq!(complete_all(&restored, &[early.clone(), held.clone(), late.clone()]), [409; 3]);
    let again = lease(&restored, 10);
    assert_eq!(again.len(), 2);
    assert_eq!((&again[0]["id"], &again[0]["attempt"]), (&held["id"], &json!(2)));
    for (new, old) in again.iter().zip([&held, &late]) {
        assert!(new["lease_token"].as_i64() > old["lease_token"].as_i64());
        assert_refused(&restored, old);
        assert_eq!(act(&restored, new, "complete", &json!({"result": "new"})), 200);
        assert_refused(&restored, old);
        assert_eq!(restored.job(new["id"].as_i64().unwrap())["result"], "new");
    }
    // To the original they are its workers still.
    for old in [&held, &late] {
        assert_eq!(act(&original, old, "complete", &json!({"result": "old"})), 200);
    }
    assert_sound(restored.database());
}

#[test]
fn a_lease_of_a_restored_database_survives_its_restart() {
    let original = Server::start();
    submit(&original, 1);
    let old = lease(&original, 1).remove(0);
    let mut restored = Setup::new().database(back_up(&original, "copy.db")).start();
    let new = lease(&restored, 1).remove(0);
    restored.kill();
    restored.start_again();
    assert_refused(&restored, &old);
    assert_eq!(act(&restored, &new, "complete", &json!({"result": "new"})), 200);
}

#[test]
fn a_copy_made_otherwise_is_served_with_an_option() {
    let mut original = Server::start();
    submit(&original, 1);
    let old = lease(&original, 1).remove(0);
    original.kill();
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy.db");
    for suffix in ["", "-wal"] {
        let part = |path: &std::path::Path| format!("{}{suffix}", path.display());
        std::fs::copy(part(original.database()), part(&copy)).unwrap();
    }
    let restored = Setup::new().database(&copy).option("--restored").start();
    assert_refused(&restored, &old);
    assert_eq!(lease(&restored, 1)[0]["id"], old["id"]);
    // Without the option it would be the same database to the worker.
    original.start_again();
    assert_eq!(act(&original, &old, "complete", &json!({"result": "old"})), 200);
}

#[test]
fn a_server_that_is_killed_while_it_begins_an_epoch_goes_on_with_it() {
    let original = Setup::new().config("limits.max_jobs_per_request = 10000").start();
    submit(&original, 5_000);
    let held: Vec<Value> = (0..5).flat_map(|_| lease(&original, 1_000)).collect();
    assert_eq!(held.len(), 5_000);
    let setup = Setup::new().database(back_up(&original, "copy.db"));
    let mut taken_back = Vec::new();
    for round in 0..10 {
        let mut child =
            setup.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20 + 25 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let report = super::report(&original.directory().join("copy.db"));
        assert_eq!(report["is_sound"], true, "{report:#}");
        taken_back.push(report["copied_at"].is_null());
    }
    eprintln!("killed after 20 to 245 ms; had it begun its epoch by then: {taken_back:?}");
    let restored = setup.start();
    assert_eq!(complete_all(&restored, &held), vec![409; held.len()]);
    assert_eq!(restored.queue("default")["jobs"]["queued"], 5_000);
    let output = longshore(&["verify"]).arg(restored.database()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
