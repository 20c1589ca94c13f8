//! Submitting one job.

use serde_json::{Value, json};

use crate::kit::{Server, echo, sleep, with};

#[test]
fn a_job_is_accepted_with_its_location_and_a_retry_after() {
    let server = Server::start();
    let answer = server.post("/v1/jobs", &echo(json!({"a": 1})));
    let job = answer.expect(202);
    let id = job["id"].as_i64().unwrap();
    assert!(id > 0);
    let location = format!("/v1/jobs/{id}");
    assert_eq!(answer.header("location"), Some(&*location));
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(server.get(&location).expect(200)["id"], id);
}

#[test]
fn a_job_is_returned_with_all_its_fields() {
    let server = Server::start();
    let job = server.post("/v1/jobs", &echo(json!({"a": [1, "ü"]}))).expect(202);
    let mut expected = json!({
        "id": 1, "kind": "echo", "queue": "default", "lane": "async", "state": "queued",
        "priority": 0, "attempt": 0, "max_attempts": 5, "started_at": null, "finished_at": null,
        "timeout": "5m", "at_most_once": false, "cancel_requested": false,
        "payload": {"a": [1, "ü"]}, "result": null, "error": null, "failures": [], "attempts": [],
        "backoff": {"initial": "1s", "factor": 2.0, "max": "10m", "jitter": 0.2, "max_retry_after": "1h"},
        "progress": null, "tags": [], "batch": null,
        "created_at": job["created_at"], "run_at": job["run_at"],
    });
    assert_eq!(job, expected);
    assert!(job["created_at"].as_str().unwrap().ends_with('Z'), "{job}");
    let job = server.wait_until_final(1);
    for (name, value) in [("state", "completed"), ("kind", "echo")] {
        expected[name] = value.into();
    }
    expected["attempt"] = 1.into();
    expected["result"] = json!({"a": [1, "ü"]});
    expected["attempts"] = json!([{
        "attempt": 1, "state": "completed", "started_at": job["started_at"],
        "ended_at": job["finished_at"], "code": null, "message": null,
    }]);
    expected["started_at"] = job["started_at"].clone();
    expected["finished_at"] = job["finished_at"].clone();
    assert_eq!(job, expected);
    assert!(job["finished_at"].is_string() && job["started_at"].is_string());
}

#[test]
fn every_field_of_a_submission_is_stored() {
    let server = Server::start();
    let submission = json!({
        "kind": "sleep", "payload": {"duration": "0s"}, "queue": "q.1_a-b", "priority": -100,
        "run_at": "2035-01-31T12:00:00.25+02:00", "timeout": "1m 30s", "max_attempts": 7,
        "backoff": {"initial": "2s", "factor": 3, "max": "1h", "jitter": 0},
        "at_most_once": true, "expires_at": "2036-01-01T00:00:00Z", "tags": ["a", "ü b"],
    });
    let job = server.post("/v1/jobs", &submission).expect(202);
    let same = ["kind", "payload", "queue", "priority", "max_attempts", "at_most_once", "tags"];
    for name in same {
        assert_eq!(job[name], submission[name], "{name}");
    }
    assert_eq!(job["state"], "scheduled");
    assert_eq!(job["run_at"], "2035-01-31T10:00:00.250Z");
    assert_eq!(job["expires_at"], "2036-01-01T00:00:00.000Z");
    assert_eq!(job["timeout"], "1m 30s");
    let waiting = json!({
        "waiting_for": "run_at", "waiting_until": job["run_at"],
        "waiting_detail": "it is scheduled for a later time",
    });
    assert_eq!(server.job(1), with(job.clone(), &waiting));
}

#[test]
fn a_payload_is_returned_byte_for_byte() {
    let server = Server::start();
    let payload =
        r#"{"b":1.50,"a":[1e400000,-0,12345678901234567890123456789],"n":"\u0000 \ud83d\ude00"}"#;
    // A number that a reader cannot represent is refused, with a pointer to it.
    let submit = |payload: &str| {
        let body = format!(r#"{{"kind": "echo", "payload": {payload}}}"#);
        let headers = [("content-type", "application/json; charset=utf-8")];
        server.request("POST", "/v1/jobs", &headers, body.as_bytes())
    };
    let refused = submit(payload);
    assert_eq!(crate::kit::pointers(&refused), ["/payload/a/0"], "{refused:?}");
    let payload = payload.replace("1e400000", "1e40");
    let id = submit(&payload).expect(202)["id"].as_i64().unwrap();
    server.wait_until_final(id);
    let text = String::from_utf8(server.get(&format!("/v1/jobs/{id}")).body).unwrap();
    assert!(text.contains(&format!(r#""payload":{payload},"result":{payload}"#)), "{text}");
}

#[test]
fn accepted_jobs_survive_a_kill() {
    let mut server = Server::start();
    let ids: Vec<i64> = (0..20).map(|number| server.submit(&echo(number))).collect();
    let waiting = server.submit(&with(sleep("1s"), &json!({"delay": "1h"})));
    server.kill();
    server.restart();
    for (number, id) in ids.into_iter().enumerate() {
        assert_eq!(server.wait_until_final(id)["payload"], Value::from(number));
    }
    assert_eq!(server.job(waiting)["state"], "scheduled");
}
