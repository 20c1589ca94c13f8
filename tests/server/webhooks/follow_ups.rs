//! Follow-up jobs.

use std::time::Duration;

use longshore::job::Timestamp;
use serde_json::{Value, json};

use crate::kit::http::Target;
use crate::kit::http::json_response;
use crate::kit::{Server, Setup, echo, eventually, pointers, with};

fn with_then(job: Value, then: &Value) -> Value {
    with(job, &json!({"then": then}))
}

/// Returns the follow-up job of a job or batch, once it has ended.
fn follow_up(server: &Server, path: &str) -> Value {
    let id = eventually("the follow-up job is submitted", || {
        server.get(path).expect(200)["then"]["job"].as_i64()
    });
    server.wait_until_final(id)
}

#[test]
fn a_follow_up_job_runs_with_the_result_of_the_first() {
    let server = Server::start();
    let target = Target::start(|caller, _| {
        caller.send(json_response(r#"{"text": "hello", "n": 1.50}"#));
    });
    let first = json!({"kind": "http", "payload": {"url": target.url("/")}});
    let then =
        echo(json!({"said": {"$from": "job", "pointer": "/body/text"}, "all": {"$from": "job"}}));
    let id = server.submit(&with_then(first, &then));
    let next = follow_up(&server, &format!("/v1/jobs/{id}"));
    assert_eq!(next["result"]["said"], "hello");
    assert_eq!(next["result"]["all"]["status"], 200);
}

#[test]
fn a_reference_may_be_a_whole_field_of_a_payload_that_is_checked() {
    let server = Server::start();
    let target = Target::start(|caller, request| {
        caller.send(json_response(std::str::from_utf8(&request.body).unwrap()));
    });
    let then = json!({"kind": "http", "payload": {"url": {"$from": "job", "pointer": "/url"}, "body": {"$from": "job", "pointer": "/x"}}});
    let id = server.submit(&with_then(echo(json!({"url": target.url("/"), "x": [7]})), &then));
    let next = follow_up(&server, &format!("/v1/jobs/{id}"));
    assert_eq!(next["result"]["body"], json!([7]));
    let bad = server.submit(&with_then(echo(json!({"url": 3, "x": 1})), &then));
    let next = follow_up(&server, &format!("/v1/jobs/{bad}"));
    assert_eq!((&next["state"], &next["error"]["code"]), (&json!("failed"), &json!("bad_payload")));
}

#[test]
fn the_follow_up_job_of_a_batch_gets_all_results() {
    let server = Server::start();
    let then = echo(json!({"sum_of": {"$from": "batch", "pointer": "/results"}}));
    let batch = json!({"jobs": [echo(1), echo(2), echo(3)], "then": then});
    let id = server.post("/v1/batches", &batch).expect(202)["id"].as_i64().unwrap();
    let next = eventually("the follow-up job has ended", || {
        server
            .all_jobs()
            .into_values()
            .find(|job| job["batch"] != id && job["state"] == "completed")
    });
    assert_eq!(server.job(next["id"].as_i64().unwrap())["result"], json!({"sum_of": [1, 2, 3]}));
}

#[test]
fn the_expiry_of_a_follow_up_job_counts_from_the_end_of_the_first() {
    let server = Server::start();
    let then = with(echo(2), &json!({"expires_in": "1h"}));
    let first = with(echo(1), &json!({"delay": "200ms"}));
    let id = server.submit(&with_then(first, &then));
    let next = follow_up(&server, &format!("/v1/jobs/{id}"));
    let time = |name: &str| next[name].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert_eq!(time("expires_at").since(time("created_at")), Duration::from_secs(3600));
}

#[test]
fn a_chain_of_follow_up_jobs_runs_in_order() {
    let server = Server::start();
    let more = |payload: &Value, then: Option<Value>| {
        let job = echo(payload.clone());
        then.map_or(job.clone(), |then| with_then(job, &then))
    };
    let wrap = json!([{"$from": "job"}]);
    let chain = more(&json!(1), Some(more(&wrap, Some(more(&wrap, None)))));
    let id = server.submit(&chain);
    let second = follow_up(&server, &format!("/v1/jobs/{id}"));
    let third = follow_up(&server, &format!("/v1/jobs/{}", second["id"]));
    assert_eq!(third["result"], json!([[1]]));
}

#[test]
fn a_bad_follow_up_job_is_refused_with_its_pointer() {
    let server = Server::start();
    let mut long = echo(1);
    for _ in 0..17 {
        long = with_then(echo(1), &long);
    }
    for (then, pointer) in [
        (json!({"kind": "unknown"}), "/then/kind"),
        (with(echo(1), &json!({"priority": 1_000})), "/then/priority"),
        (json!({"kind": "http", "payload": {"url": "x"}}), "/then/payload/url"),
        (
            json!({"kind": "http", "payload": {"url": {"$from": "job"}, "method": 1}}),
            "/then/payload/method",
        ),
        (echo(json!({"$from": "batch"})), "/then/payload/$from"),
        // Another server must not choose a provider.
        (json!({"kind": "http", "payload": {"$from": "job"}}), "/then/payload"),
        (
            json!({"kind": "http", "payload": {"provider": {"$from": "job"}, "path": "/"}}),
            "/then/payload/provider",
        ),
        // Or a command.
        (json!({"kind": "command", "payload": {"$from": "job"}}), "/then/payload"),
        (json!({"kind": "command", "payload": {"name": {"$from": "job"}}}), "/then/payload/name"),
        (with(echo(1), &json!({"queue": "callbacks"})), "/then/queue"),
        (json!({"kind": "callback", "lane": "remote"}), "/then/kind"),
        (echo(json!(vec![json!({"$from": "job"}); 33])), "/then/payload/32"),
        (with_then(echo(1), &json!({"kind": "sleep", "payload": {}})), "/then/then/payload"),
        (
            long,
            "/then/then/then/then/then/then/then/then/then/then/then/then/then/then/then/then/then",
        ),
    ] {
        let answer = server.post("/v1/jobs", &with_then(echo(1), &then));
        assert_eq!(answer.status, 422, "{then} {}", answer.json());
        let found = pointers(&answer);
        assert!(found[0].starts_with(pointer), "{then}: {found:?}");
    }
    assert_eq!(server.all_jobs().len(), 0);
}

#[test]
fn the_result_fills_the_arguments_of_a_command_and_never_chooses_it() {
    let config =
        "[commands.say]\nargv = ['echo', 'it is']\n[commands.wipe]\nargv = ['echo', 'gone']";
    let server = Setup::new().config(config).start();
    let command = |name: &Value| json!({"kind": "command", "payload": {"name": name, "args": [{"$from": "job", "pointer": "/arg"}]}});
    let first = echo(json!({"name": "wipe", "arg": "fine"}));
    let id = server.submit(&with_then(first.clone(), &command(&json!("say"))));
    assert_eq!(follow_up(&server, &format!("/v1/jobs/{id}"))["result"], "it is fine\n");
    let chosen = command(&json!({"$from": "job", "pointer": "/name"}));
    let answer = server.post("/v1/jobs", &with_then(first, &chosen));
    assert_eq!((answer.status, pointers(&answer)), (422, vec!["/then/payload/name".to_owned()]));
    let detail = answer.json().to_string();
    assert!(detail.contains("it would choose the command"), "{detail}");
}

#[test]
fn each_follow_up_job_is_submitted_exactly_once_over_kills() {
    let mut server = Server::start();
    let count = 400;
    let then = echo(json!({"of": {"$from": "job"}}));
    let mut ids = Vec::new();
    for round in 0..8 {
        let jobs: Vec<Value> = (0..count / 8)
            .map(|number| with_then(json!({"kind": "sleep", "payload": {"duration": format!("{}ms", number * 4)}, "max_attempts": 20}), &then))
            .collect();
        let answer = server.post("/v1/jobs", &json!(jobs)).expect(202);
        ids.extend(
            answer["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()),
        );
        std::thread::sleep(std::time::Duration::from_millis(40 * round));
        server.kill();
        server.restart();
    }
    let all = eventually("all jobs have ended", || {
        let all = server.all_jobs();
        (all.len() == 2 * count && all.values().all(crate::kit::is_final)).then_some(all)
    });
    let followers = all.values().filter(|job| job["kind"] == "echo").count();
    assert_eq!(followers, count);
    for id in ids {
        let next = server.job(id)["then"]["job"].as_i64().unwrap();
        assert_eq!(all[&next]["state"], "completed");
    }
}
