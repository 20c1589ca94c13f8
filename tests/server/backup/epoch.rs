//! Restored databases: a server on a copy refuses the leases that the original has granted.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use serde_json::{Value, json};

use super::{assert_sound, back_up};
use crate::kit::{Server, Setup, eventually};

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

/// Calls an action of a lease and returns the status of the answer.
fn lease_action(server: &Server, leased: &Value, action: &str, fields: &Value) -> u16 {
    let mut body = fields.clone();
    body["lease_token"] = leased["lease_token"].clone();
    server.post(&format!("/v1/leases/{}/{action}", leased["id"]), &body).status
}

/// Checks that every action on a lease is refused.
fn assert_refused(server: &Server, leased: &Value) {
    let error = json!({"error": {"code": "broken", "message": "it broke"}});
    let actions = [
        ("complete", json!({"result": "old"})),
        ("fail", error),
        ("release", json!({})),
        ("renew", json!({"progress": {"percent": 50}})),
    ];
    for (action, fields) in &actions {
        assert_eq!(lease_action(server, leased, action, fields), 409, "{action} of {leased}");
    }
}

/// Completes all leased jobs in one request and returns the status of each.
fn complete_all(server: &Server, leased: &[Value]) -> Vec<i64> {
    let all: Vec<Value> = leased
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
fn a_restored_database_refuses_the_leases_of_the_original() {
    let original = Server::start();
    submit(&original, 3);
    let completed = lease(&original, 1).remove(0);
    assert_eq!(lease_action(&original, &completed, "complete", &json!({"result": "old"})), 200);
    let running = lease(&original, 1).remove(0);
    let copy = back_up(&original, "copy.db");
    // The original continues and grants a lease that is not in the copy.
    let late = lease(&original, 1).remove(0);
    let restored = Setup::new().database(&copy).start();
    assert!(restored.log().contains("a new epoch begins"), "{}", restored.log());
    for old in [&completed, &running, &late] {
        assert_refused(&restored, old);
    }
    assert_eq!(
        complete_all(&restored, &[completed.clone(), running.clone(), late.clone()]),
        [409; 3]
    );
    let again = lease(&restored, 10);
    assert_eq!(again.len(), 2);
    assert_eq!((&again[0]["id"], &again[0]["attempt"]), (&running["id"], &json!(2)));
    for (new, old) in again.iter().zip([&running, &late]) {
        assert!(new["lease_token"].as_i64() > old["lease_token"].as_i64());
        assert_refused(&restored, old);
        assert_eq!(lease_action(&restored, new, "complete", &json!({"result": "new"})), 200);
        assert_refused(&restored, old);
        assert_eq!(restored.job(new["id"].as_i64().unwrap())["result"], "new");
    }
    // The original still accepts its own leases.
    for old in [&running, &late] {
        assert_eq!(lease_action(&original, old, "complete", &json!({"result": "old"})), 200);
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
    restored.restart();
    assert_refused(&restored, &old);
    assert_eq!(lease_action(&restored, &new, "complete", &json!({"result": "new"})), 200);
}

#[test]
fn a_copy_made_by_other_means_is_served_with_restored() {
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
    // Started without the option, the original still accepts the lease.
    original.restart();
    assert_eq!(lease_action(&original, &old, "complete", &json!({"result": "old"})), 200);
}

/// Returns the number of running jobs in a database, or `None` if it cannot be read yet.
fn running_jobs(database: &Path) -> Option<i64> {
    let mut connection = SqliteConnection::establish(database.to_str()?).ok()?;
    connection.batch_execute("PRAGMA busy_timeout = 5000").ok()?;
    let count = "SELECT count(*) FROM jobs WHERE state = 2";
    diesel::dsl::sql::<diesel::sql_types::BigInt>(count).get_result(&mut connection).ok()
}

/// Starts a server and kills it once it has started to requeue the running jobs, of which there are
/// `before` at first. Returns the number of jobs that it has not requeued.
fn kill_while_it_requeues(setup: &Setup, copy: &Path, before: i64) -> i64 {
    let mut child = setup.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the server requeues jobs", || running_jobs(copy).filter(|left| *left < before));
    child.kill().unwrap();
    child.wait().unwrap();
    running_jobs(copy).unwrap()
}

#[test]
fn a_server_killed_while_it_starts_an_epoch_continues_with_it() {
    const JOBS: usize = 5_000;
    let original = Server::start();
    submit(&original, JOBS);
    let leased: Vec<Value> = (0..JOBS / 1_000).flat_map(|_| lease(&original, 1_000)).collect();
    assert_eq!(leased.len(), JOBS);
    let backup = back_up(&original, "backup.db");
    // A kill may come too late, after all jobs are requeued; then the next copy is tried.
    let (setup, left) = (0..20)
        .find_map(|_| {
            let setup = Setup::new();
            let copy = setup.directory().join("longshore.db");
            fs::copy(&backup, &copy).unwrap();
            let left = kill_while_it_requeues(&setup, &copy, leased.len() as i64);
            assert_sound(&copy);
            (left > 0).then_some((setup, left))
        })
        .expect("one of the kills must come in time");
    eprintln!("killed with {left} of {JOBS} jobs not yet requeued");
    let restored = setup.start();
    assert!(!restored.log().contains("a new epoch begins"), "the epoch started before the kill");
    assert_eq!(complete_all(&restored, &leased), vec![409; leased.len()]);
    assert_eq!(restored.queue("default")["jobs"]["queued"], leased.len());
    assert_sound(restored.database());
}
