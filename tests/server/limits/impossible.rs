//! A database with impossible rows, which a tool or a broken disk left: the server keeps serving
//! everything else, before and after a restart.

use std::process::Stdio;

use diesel::connection::SimpleConnection;
use diesel::{Connection as _, SqliteConnection};
use serde_json::{Value, json};

use crate::kit::process::longshore;
use crate::kit::{Server, Setup, echo, eventually, with};

/// Runs SQL on the server's database, with all constraints off.
fn corrupt(server: &Server, sql: &str) {
    let mut connection = SqliteConnection::establish(server.database().to_str().unwrap()).unwrap();
    let off = "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = OFF;
        PRAGMA ignore_check_constraints = ON;";
    connection.batch_execute(&format!("{off} {sql}")).unwrap();
}

/// Jobs whose rows are impossible.
struct Impossible {
    /// Due, and in a queue that does not exist.
    due: i64,
    /// Queued, and allows no attempt.
    queued: i64,
    /// Expired, and in a lane that does not exist.
    expired: i64,
    /// Leased to a remote worker, and in a queue that does not exist.
    leased: Value,
    /// In a state that does not exist.
    state: i64,
}

impl Impossible {
    fn create(server: &Server) -> Self {
        server.patch("/v1/queues/held", &json!({"paused": true})).expect(200);
        let held =
            |fields: Value| server.submit(&with(with(echo(1), &json!({"queue": "held"})), &fields));
        let due = held(json!({"delay": "1h"}));
        let queued = held(json!({}));
        let expired = held(json!({"expires_at": "2999-01-01T00:00:00Z"}));
        let state = held(json!({}));
        let remote = json!({"lane": "remote", "kind": "resize", "queue": "remote"});
        let leased_id = server.submit(&with(echo(1), &remote));
        let lease = json!({"limit": 1, "lease": "1s", "queues": ["remote"]});
        let leased = server.post("/v1/leases", &lease).expect(200)["jobs"][0].clone();
        assert_eq!(leased["id"], leased_id);
        corrupt(
            server,
            &format!(
                "BEGIN IMMEDIATE;
                UPDATE jobs SET queue_id = 99, run_at = 1 WHERE id = {due};
                UPDATE jobs SET max_attempts = 0 WHERE id = {queued};
                UPDATE jobs SET lane = 9, expires_at = 1 WHERE id = {expired};
                UPDATE jobs SET queue_id = 99 WHERE id = {leased_id};
                UPDATE jobs SET state = 7 WHERE id = {state};
                COMMIT;"
            ),
        );
        server.patch("/v1/queues/held", &json!({"paused": false})).expect(200);
        Self { due, queued, expired, leased, state }
    }

    /// Returns a part of the fault that the log must have for each row that the server meets by itself.
    fn faults(&self) -> [String; 4] {
        [
            format!("job {} is in queue 99", self.due),
            format!("job {}: CHECK constraint failed", self.queued),
            format!("job {} is in lane 9", self.expired),
            format!("job {} is in queue 99", self.leased["id"]),
        ]
    }
}

/// Uses everything beside the impossible rows: jobs of the same queue, due jobs, leases, lists.
fn assert_serves_others(server: &Server) {
    let job = server.run(&with(echo(2), &json!({"queue": "held"})));
    assert_eq!(job["state"], "completed");
    let delayed = server.submit(&with(echo(3), &json!({"queue": "held", "delay": "100ms"})));
    assert_eq!(server.wait_until_final(delayed)["state"], "completed");
    let remote = json!({"lane": "remote", "kind": "resize", "queue": "remote"});
    let id = server.submit(&with(echo(4), &remote));
    let lease = json!({"limit": 1, "lease": "1s", "queues": ["remote"]});
    let leased = server.post("/v1/leases", &lease).expect(200)["jobs"][0].clone();
    assert_eq!(leased["id"], id);
    let complete = json!({"lease_token": leased["lease_token"], "result": 1});
    server.post(&format!("/v1/leases/{id}/complete"), &complete).expect(200);
    let listed = server.get("/v1/jobs?limit=200").expect(200);
    assert!(listed["jobs"].as_array().unwrap().iter().any(|job| job["id"] == id));
    server.get("/v1/queues").expect(200);
}

/// Checks that each call about an impossible row is answered with an internal error.
fn assert_refused(server: &Server, rows: &Impossible) {
    let complete = json!({"lease_token": rows.leased["lease_token"], "result": 1});
    let path = format!("/v1/leases/{}/complete", rows.leased["id"]);
    let detail = "the database holds an impossible row; `longshore verify` shows it";
    assert_eq!(server.post(&path, &complete).problem(500), detail);
    let cancel = format!("/v1/jobs/{}/cancel", rows.state);
    assert_eq!(server.post_empty(&cancel).problem(500), detail);
    let both = json!({"ids": [rows.state, rows.expired]});
    assert_eq!(server.post("/v1/jobs/retry", &both).status, 200);
}

/// Waits until the server has met every row, and checks that it has logged each of them once.
fn assert_logged_once(server: &Server, since: usize, rows: &Impossible) {
    let log = || server.log().split_off(since);
    for fault in rows.faults() {
        eventually(&format!("the log has: {fault}"), || log().contains(&fault).then_some(()));
    }
    // The periodic duties run once a second; by then they have met the rows again.
    let started = std::time::Instant::now();
    eventually("more checks have run", || (started.elapsed().as_secs() >= 3).then_some(()));
    for fault in rows.faults() {
        let log = log();
        let lines: Vec<&str> = log
            .lines()
            .filter(|line| line.contains(&fault) && line.contains("writes are refused or skip it"))
            .collect();
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(lines[0].contains("ERROR"), "{lines:#?}");
    }
}

#[test]
fn a_server_with_impossible_rows_serves_everything_else_and_starts_again() {
    let mut server = Setup::new().start();
    let rows = Impossible::create(&server);
    let mut since = 0;
    for _ in 0..2 {
        assert_serves_others(&server);
        assert_refused(&server, &rows);
        assert_logged_once(&server, since, &rows);
        assert_serves_others(&server);
        server.assert_healthy();
        server.kill();
        since = server.log().len();
        server.restart();
    }
    let verify = longshore(&["verify"]).arg(server.database()).stdin(Stdio::null()).output();
    let verify = verify.unwrap();
    let printed = String::from_utf8(verify.stdout).unwrap();
    assert!(!verify.status.success(), "{printed}");
    for row in [
        format!("job {} is in state 7", rows.state),
        format!("job {} is in lane 9", rows.expired),
        format!("jobs row {} refers to a missing row of queues", rows.due),
        format!("job {} has max_attempts 0", rows.queued),
    ] {
        assert!(printed.contains(&row), "{row}: {printed}");
    }
}
