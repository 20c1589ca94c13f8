//! A job during each of whose attempts the server is killed (L6).

use serde_json::json;

use crate::fault_row::FaultRow;
use crate::kit::{Server, echo, sleep, with};

#[test]
fn a_job_that_kills_the_server_at_each_attempt_fails_after_the_last_one() {
    let what = "a job that kills the server at each attempt";
    let Some(row) = FaultRow::start("L6", what, (1, 20, "jobs of 3 attempts")) else { return };
    let mut server = Server::start();
    for _ in 0..row.times {
        kill_the_server_at_each_attempt(&mut server);
    }
    row.held();
}

fn kill_the_server_at_each_attempt(server: &mut Server) {
    let poison = server.submit(&with(sleep("1h"), &json!({"max_attempts": 3})));
    let other = server.submit(&with(echo(1), &json!({"delay": "2s"})));
    for attempt in 1..=3 {
        assert_eq!(server.wait_for_state(poison, "running")["attempt"], attempt);
        server.kill();
        server.restart();
    }
    let job = server.job(poison);
    assert_eq!((&job["state"], &job["error"]["code"]), (&json!("failed"), &json!("lost")), "{job}");
    assert_eq!(job["attempt"], 3);
    assert_eq!(job["failures"].as_array().unwrap().len(), 3);
    assert_eq!(server.wait_until_final(other)["state"], "completed");
}
