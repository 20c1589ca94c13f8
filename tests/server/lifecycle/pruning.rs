//! Pruning after a start with a wrong clock.

use diesel::connection::SimpleConnection;
use diesel::{Connection as _, SqliteConnection};
use serde_json::Value;

use crate::cli::{run, stderr, stdout};
use crate::kit::{Server, Setup, echo, eventually};

/// Moves every stored time 400 days back, as if the clock had been set forward before the next start.
fn move_back(server: &Server) {
    let mut connection = SqliteConnection::establish(server.database().to_str().unwrap()).unwrap();
    const SPAN: i64 = 400 * 24 * 3_600_000;
    let moves = format!(
        "UPDATE jobs SET created_at = created_at - {SPAN}, run_at = run_at - {SPAN},
             started_at = started_at - {SPAN}, finished_at = finished_at - {SPAN};
         UPDATE activity SET active_at = active_at - {SPAN};"
    );
    connection.batch_execute(&moves).unwrap();
}

/// Restarts a server with one completed job, 400 days later by its clock.
fn restarted_400_days_later() -> (Server, i64) {
    let mut server = Setup::new().config("retention = '30d'").start();
    assert!(!pruning(&server)["held"].as_bool().unwrap());
    let id = server.run(&echo(1))["id"].as_i64().unwrap();
    server.kill();
    move_back(&server);
    server.restart();
    (server, id)
}

fn pruning(server: &Server) -> Value {
    server.get("/v1/pruning").expect(200)
}

#[test]
fn after_a_jump_of_the_clock_nothing_is_deleted_until_it_is_confirmed() {
    let (mut server, id) = restarted_400_days_later();
    eventually("the jump is logged", || {
        let log = server.log();
        let mut lines = log.lines().filter(|line| line.contains("longshore prune --confirm"));
        lines.find(|line| line.contains("WARN") && line.contains("retention=720h")).map(drop)
    });
    // A second start with the same clock holds pruning too.
    server.kill();
    server.restart();
    assert_eq!(pruning(&server)["held"], true);
    let output = run(&server, &["prune"]);
    let text = stdout(&output);
    assert!(text.contains("last activity") && text.contains("not deleted until"), "{text}");
    assert_eq!(server.job(id)["state"], "completed");
    let output = run(&server, &["prune", "--confirm"]);
    assert!(stdout(&output).contains("jobs are deleted 720h after"), "{}", stderr(&output));
    eventually("the old job is deleted", || {
        (server.get(&format!("/v1/jobs/{id}")).status == 404).then_some(())
    });
    assert_eq!(pruning(&server)["last_activity_at"], Value::Null);
    eventually("it is logged", || server.log().contains("pruning was confirmed").then_some(()));
    // The time is recorded again, so that the next start is not in doubt.
    server.kill();
    server.restart();
    assert_eq!(pruning(&server)["held"], false);
}
