//! A job that kills the server each time (L6).

use serde_json::json;

use crate::kit::{Server, echo, sleep, with};
use crate::row::Row;

#[test]
fn a_job_that_kills_the_server_each_time_fails_after_its_attempts() {
    let what = "a job that kills the server at each attempt";
    let Some(row) = Row::begin("L6", what, (1, 20, "jobs of 3 attempts")) else { return };
    let mut server = Server::start();
    for _ in 0..row.times {
        poison_fails_and_another_completes(&mut server);
    }
    row.held();
}

fn poison_fails_and_another_completes(server: &mut Server) {
    let poison = server.submit(&with(sleep("1h"), &json!({"max_attempts": 3})));
    let other = server.submit(&with(echo(1), &json!({"delay": "2s"})));
    for attempt in 1..=3 {
        assert_eq!(server.reaches(poison, "running")["attempt"], attempt);
        server.kill();
        server.start_again();
    }
    let job = server.job(poison);
    assert_eq!((&job["state"], &job["error"]["code"]), (&json!("failed"), &json!("lost")), "{job}");
    assert_eq!(job["attempt"], 3);
    assert_eq!(job["failures"].as_array().unwrap().len(), 3);
    assert_eq!(server.finished(other)["state"], "completed");
}
