//! What a token shows of a job or batch, and what it does not.

use serde_json::{Value, json};

use super::tokens::{token, with_token};
use super::{call, first_key};
use crate::kit::leases::{lease, lease_action, remote};
use crate::kit::{Events, Server, echo, with};

#[test]
fn a_token_shows_how_a_job_ends_and_not_its_payload() {
    let server = Server::start();
    let id = server.submit(&echo("private"));
    let ops = first_key(&server);
    let token = token(&server, &ops, &format!("/v1/jobs/{id}"), None);
    let job = with_token(&server, "GET", &format!("/v1/jobs/{id}?wait=10s"), &token).expect(200);
    assert_eq!((&job["state"], &job["result"]), (&json!("completed"), &json!("private")));
    assert_eq!(job.get("payload"), None, "{job}");
    let path = format!("/v1/jobs/{id}/events?token={token}");
    let mut events = Events::open(server.connect(), &path, &[]);
    let last = std::iter::from_fn(|| events.next()).last().unwrap();
    assert_eq!((&last.data["state"], last.data.get("payload")), (&json!("completed"), None));
}

/// Asserts that a text has nothing of what only operators see.
fn assert_clean(value: &Value) {
    let text = value.to_string();
    for hidden in ["secret", "worker", "traceback", "metadata"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
}

#[test]
fn a_token_shows_errors_and_no_stack_traces_workers_and_metadata() {
    let server = Server::start();
    let job = with(
        remote("secret-payload"),
        &json!({"max_attempts": 1, "tags": ["red"], "metadata": {"user": "secret-user"}}),
    );
    let batch = server.post("/v1/batches", &json!({"jobs": [job]})).expect(202);
    let (batch, id) = (batch["id"].clone(), batch["job_ids"][0].clone());
    let leased = lease(&server, 1, &json!({"worker": "secret-worker"})).remove(0);
    let ops = first_key(&server);
    let job_token = token(&server, &ops, &format!("/v1/jobs/{id}"), None);
    let batch_token = token(&server, &ops, &format!("/v1/batches/{batch}"), None);
    // While it runs, and after its end.
    let path = format!("/v1/jobs/{id}");
    let running = with_token(&server, "GET", &path, &job_token).expect(200);
    assert_eq!(running["state"], "running");
    assert_clean(&running);
    let path_of_events = format!("{path}/events?token={job_token}");
    let mut events = Events::open(server.connect(), &path_of_events, &[]);
    assert_clean(&events.expect_next().data);
    let error = json!({
        "lease_token": leased["lease_token"],
        "error": {
            "code": "broken", "message": "it broke",
            "traceback": "at secret.py", "data": {"secret": 1},
        },
    });
    call(&server, &ops, "POST", &format!("/v1/leases/{id}/fail"), Some(&error)).expect(200);

    let ended = with_token(&server, "GET", &path, &job_token).expect(200);
    assert_eq!((&ended["state"], &ended["tags"]), (&json!("failed"), &json!(["red"])));
    let attempt = &ended["attempts"][0];
    assert_eq!((&attempt["code"], &attempt["message"]), (&json!("broken"), &json!("it broke")));
    assert!(attempt["started_at"].is_string() && attempt["ended_at"].is_string(), "{attempt}");
    assert_clean(&ended);
    events.read_to_end().iter().for_each(|event| assert_clean(&event.data));
    let path = format!("/v1/batches/{batch}");
    for path in [format!("{path}/results"), path.clone()] {
        assert_clean(&with_token(&server, "GET", &path, &batch_token).expect(200));
    }
    let lines = with_token(&server, "GET", &format!("{path}/results?format=ndjson"), &batch_token);
    assert_clean(&lines.json());
    let path_of_events = format!("{path}/events?jobs=true&token={batch_token}");
    let events = Events::open(server.connect(), &path_of_events, &[]).read_to_end();
    assert!(events.iter().any(|event| event.event == "job"), "{}", events.len());
    events.iter().for_each(|event| assert_clean(&event.data));

    // A key sees all of it.
    let whole = call(&server, &ops, "GET", &format!("/v1/jobs/{id}"), None).expect(200);
    assert_eq!(whole["attempts"][0]["traceback"], "at secret.py");
    assert_eq!(whole["metadata"]["user"], "secret-user");
}

#[test]
fn a_token_shows_the_log_of_its_job() {
    let server = Server::start();
    let id = server.submit(&remote(1));
    let leased = lease(&server, 1, &json!({})).remove(0);
    lease_action(&server, &leased, "complete", &json!({"result": 1, "log": "step 1\n"}))
        .expect(200);
    let ops = first_key(&server);
    let token = token(&server, &ops, &format!("/v1/jobs/{id}"), None);
    let log = with_token(&server, "GET", &format!("/v1/jobs/{id}/log"), &token).expect(200);
    assert!(log["text"].as_str().unwrap().contains("step 1"), "{log}");
}
