//! Statistics that agree with the jobs, and logs that are stored with them.

use serde_json::{Value, json};

use crate::kit::*;

fn sum(stats: &Value, field: &str) -> u64 {
    let points = stats["points"].as_array().unwrap();
    points.iter().map(|point| point[field].as_u64().unwrap()).sum()
}

/// Returns the number of jobs for which a condition holds, counted from the list of jobs.
fn count(server: &Server, is_counted: impl Fn(&Value) -> bool) -> u64 {
    server.all_jobs().values().filter(|job| is_counted(job)).count() as u64
}

/// Checks that the statistics of a queue, or of all queues, agree with the jobs.
fn assert_stats_agree(server: &Server, queue: Option<&str>) {
    let path = queue.map_or("/v1/stats".to_owned(), |queue| format!("/v1/stats?queue={queue}"));
    let stats = server.get(&path).expect(200);
    let of_queue = |job: &Value| queue.is_none_or(|queue| job["queue"] == queue);
    assert_eq!(stats["points"].as_array().unwrap().len(), 360);
    assert_eq!(sum(&stats, "submitted"), count(server, of_queue), "{path}");
    for state in ["completed", "failed", "cancelled"] {
        let in_state = count(server, |job| of_queue(job) && job["state"] == state);
        assert_eq!(sum(&stats, state), in_state, "{path} {state}");
        assert_eq!(stats["jobs"][state], in_state, "{path} {state}");
    }
    let last = stats["points"].as_array().unwrap().last().unwrap().clone();
    let waiting = count(server, |job| {
        of_queue(job) && matches!(job["state"].as_str(), Some("queued" | "scheduled" | "retrying"))
    });
    let running = count(server, |job| of_queue(job) && job["state"] == "running");
    assert_eq!((&last["waiting"], &last["running"]), (&json!(waiting), &json!(running)), "{path}");
}

#[test]
fn the_statistics_of_an_hour_agree_with_the_jobs_across_restarts() {
    let mut server = Server::start();
    let failing =
        json!({"kind": "http", "payload": {"url": "http://127.0.0.1:9/"}, "max_attempts": 1});
    for round in 0..2 {
        let mut jobs: Vec<Value> = (0..50).map(echo).collect();
        jobs.extend([
            with(failing.clone(), &json!({"queue": "mail"})),
            with(sleep("1h"), &json!({"queue": "mail"})),
        ]);
        jobs.push(with(echo(0), &json!({"delay": "1h", "queue": "mail"})));
        let jobs = server.post("/v1/jobs", &json!(jobs)).expect(202);
        let id = |index: usize| jobs["jobs"][index]["id"].as_i64().unwrap();
        for index in 0..51 {
            server.wait_until_final(id(index));
        }
        server.wait_for_state(id(51), "running");
        if round == 0 {
            server.post_empty(&format!("/v1/jobs/{}/cancel", id(51))).expect(200);
            server.wait_until_final(id(51));
        }
        for queue in [None, Some("default"), Some("mail"), Some("nobody")] {
            assert_stats_agree(&server, queue);
        }
        let stats = server.get("/v1/stats").expect(200);
        assert!(
            stats["run"]["p50_ms"].as_u64().is_some()
                && stats["start"]["p99_ms"].as_u64().is_some()
        );
        assert_eq!(stats["lanes"][0], json!({"lane": "async", "workers": 512, "busy": round}));
        assert_eq!(stats["lanes"][3], json!({"lane": "remote", "workers": null, "busy": 0}));
        if round == 0 {
            server.terminate();
            assert!(server.wait_for_exit().success());
            server.restart();
            assert_stats_agree(&server, None);
        }
    }
    assert_eq!(pointers(&server.get("/v1/stats?queue=A")), ["/queue"]);
}

#[test]
fn the_log_and_the_progress_of_a_command_are_stored_with_its_job() {
    let config = "[commands.talk]\nargv = [\"/bin/sh\", \"-c\", \"echo one >&2; echo '::progress 50 half' >&2; echo two >&2; exit 1\"]";
    let server = Setup::new().config(config).start();
    let job = json!({"kind": "command", "payload": {"name": "talk"}, "max_attempts": 2, "backoff": {"initial": "10ms"}});
    let job = server.run(&job);
    assert_eq!(
        job["progress"],
        json!({"percent": 50.0, "message": "half"}),
        "the last progress that was reported"
    );
    let id = job["id"].as_i64().unwrap();
    let log = server.get(&format!("/v1/jobs/{id}/log")).expect(200);
    let text = "one\ntwo\n--- attempt 2 ---\none\ntwo\n";
    assert_eq!(log, json!({"from": 0, "to": text.len(), "text": text}));
    let rest = server.get(&format!("/v1/jobs/{id}/log?after=8")).expect(200);
    assert_eq!((&rest["from"], &rest["text"]), (&json!(8), &json!(&text[8..])));
    assert_eq!(pointers(&server.get(&format!("/v1/jobs/{id}/log?after=x"))), ["/after"]);
    server.get("/v1/jobs/99/log").problem(404);
    // A log is deleted with its job.
    assert_eq!(server.delete(&format!("/v1/jobs/{id}")).status, 204);
    server.get(&format!("/v1/jobs/{id}/log")).problem(404);
}
