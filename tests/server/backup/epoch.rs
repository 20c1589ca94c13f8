//! A copy is served: no worker from before finishes a job of it.

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

fn lease_action(server: &Server, held: &Value, verb: &str, fields: &Value) -> u16 {
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
        assert_eq!(lease_action(server, held, verb, fields), 409, "{verb} of {held}");
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
    assert_eq!(lease_action(&original, &early, "complete", &json!({"result": "old"})), 200);
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
        assert_eq!(lease_action(&restored, new, "complete", &json!({"result": "new"})), 200);
        assert_refused(&restored, old);
        assert_eq!(restored.job(new["id"].as_i64().unwrap())["result"], "new");
    }
    // To the original they are its workers still.
    for old in [&held, &late] {
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
    restored.start_again();
    assert_refused(&restored, &old);
    assert_eq!(lease_action(&restored, &new, "complete", &json!({"result": "new"})), 200);
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
    assert_eq!(lease_action(&original, &old, "complete", &json!({"result": "old"})), 200);
}

/// How many jobs run, as the database has it.
fn running(database: &Path) -> Option<i64> {
    let mut connection = SqliteConnection::establish(database.to_str()?).ok()?;
    connection.batch_execute("PRAGMA busy_timeout = 5000").ok()?;
    let count = "SELECT count(*) FROM jobs WHERE state = 2";
    diesel::dsl::sql::<diesel::sql_types::BigInt>(count).get_result(&mut connection).ok()
}

/// Starts a server and kills it once it has begun to take back what ran. Tells how much it has left.
fn kill_while_it_takes_back(setup: &Setup, copy: &Path, before: i64) -> i64 {
    let mut child = setup.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the server takes back", || running(copy).filter(|left| *left < before));
    child.kill().unwrap();
    child.wait().unwrap();
    running(copy).unwrap()
}

#[test]
fn a_server_that_is_killed_while_it_begins_an_epoch_goes_on_with_it() {
    const JOBS: usize = 5_000;
    let original = Server::start();
    submit(&original, JOBS);
    let held: Vec<Value> = (0..JOBS / 1_000).flat_map(|_| lease(&original, 1_000)).collect();
    assert_eq!(held.len(), JOBS);
    let backup = back_up(&original, "backup.db");
    // A kill may come too late; then once more from the beginning.
    let (setup, left) = (0..20)
        .find_map(|_| {
            let setup = Setup::new();
            let copy = setup.directory().join("longshore.db");
            fs::copy(&backup, &copy).unwrap();
            let left = kill_while_it_takes_back(&setup, &copy, held.len() as i64);
            assert_sound(&copy);
            (left > 0).then_some((setup, left))
        })
        .expect("a kill in the middle");
    eprintln!("killed with {left} of {JOBS} jobs to take back");
    let restored = setup.start();
    assert!(!restored.log().contains("a new epoch begins"), "it has begun before");
    assert_eq!(complete_all(&restored, &held), vec![409; held.len()]);
    assert_eq!(restored.queue("default")["jobs"]["queued"], held.len());
    assert_sound(restored.database());
}
