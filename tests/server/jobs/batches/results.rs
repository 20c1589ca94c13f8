//! Results of a batch: pages by id, waiting for the next one, and one stream of lines.

use serde_json::{Value, json};

use crate::kit::leases::{lease, lease_action, remote};
use crate::kit::{Response, Server, Setup, echo, eventually, pointers, with};

/// Returns the lines of a stream of results.
fn lines(server: &Server, path: &str) -> Vec<Value> {
    let answer = server.request("GET", path, &[("accept", "application/x-ndjson")], b"");
    answer_lines(&answer)
}

fn answer_lines(answer: &Response) -> Vec<Value> {
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let text = String::from_utf8(answer.body.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Submits these jobs as the batch 1, and waits until it has ended.
fn ended_batch(server: &Server, jobs: &[Value]) {
    server.post("/v1/batches", &json!({"jobs": jobs})).expect(202);
    let batch = server.get("/v1/batches/1?wait=30s").expect(200);
    assert!(batch["finished_at"].is_string(), "{batch}");
}

#[test]
fn a_page_has_the_results_in_the_order_of_submission_with_errors_tags_and_metadata() {
    let server = Server::start();
    let tagged = json!({"tags": ["row"], "metadata": {"row": 7}, "priority": -5});
    let jobs = [with(echo(1), &tagged), remote(2), echo(3)];
    server.post("/v1/batches", &json!({"jobs": jobs})).expect(202);
    for id in [1, 3] {
        server.wait_until_final(id);
    }
    let page = server.get("/v1/batches/1/results").expect(200);
    let expected = json!({"results": [
        {"id": 1, "kind": "echo", "state": "completed", "result": 1, "error": null, "tags": ["row"], "metadata": {"row": 7}},
        {"id": 2, "kind": "resize", "state": "queued", "result": null, "error": null, "tags": []},
        {"id": 3, "kind": "echo", "state": "completed", "result": 3, "error": null, "tags": []},
    ], "next_after": null});
    assert_eq!(page, expected);
    server.post_empty("/v1/jobs/2/cancel").expect(200);
    let cancelled = server.get("/v1/batches/1/results?after=1&limit=1").expect(200);
    assert_eq!(cancelled["results"][0]["error"]["code"], "cancelled");
    assert_eq!(cancelled["next_after"], 2);
}

#[test]
fn pages_follow_each_other_without_gaps_and_leave_out_deleted_jobs() {
    let server = Server::start();
    ended_batch(&server, &(0..7).map(echo).collect::<Vec<_>>());
    server.delete("/v1/jobs/4");
    let (mut after, mut pages) = (json!(0), Vec::new());
    while !after.is_null() {
        let page = server.get(&format!("/v1/batches/1/results?limit=2&after={after}")).expect(200);
        let results = page["results"].as_array().unwrap();
        pages.push(results.iter().map(|result| result["result"].clone()).collect::<Vec<_>>());
        after = page["next_after"].clone();
    }
    assert_eq!(json!(pages), json!([[0, 1], [2, 4], [5, 6]]));
    for bad in ["limit=0", "limit=1001", "after=x", "wait=61s", "cursor=1"] {
        server.get(&format!("/v1/batches/1/results?{bad}")).problem(400);
    }
    server.get("/v1/batches/2/results").problem(404);
    server.get("/v1/batches/2/results?wait=1s").problem(404);
}

#[test]
fn a_page_with_large_results_ends_early() {
    let server = Server::start();
    let large = "x".repeat(1_000_000);
    ended_batch(&server, &vec![echo(large.as_str()); 12]);
    let page = server.get("/v1/batches/1/results").expect(200);
    let shown = page["results"].as_array().unwrap().len();
    assert_eq!((shown, &page["next_after"]), (9, &json!(9)));
    let lines = lines(&server, "/v1/batches/1/results");
    assert_eq!(lines.len(), 12);
    assert!(lines.iter().all(|line| line["result"] == large));
}

#[test]
fn a_wait_is_answered_as_soon_as_the_first_job_of_the_page_is_final() {
    let server = Server::start();
    server.post("/v1/batches", &json!({"jobs": [remote(1), remote(2)]})).expect(202);
    let jobs = lease(&server, 2, &json!({}));
    let complete = |index: usize| {
        let result = json!({"result": jobs[index]["id"]});
        lease_action(&server, &jobs[index], "complete", &result).expect(200);
    };
    // The first job has not ended, so the wait is over before it has.
    complete(1);
    let page = server.get("/v1/batches/1/results?wait=50ms").expect(200);
    assert_eq!(page["results"][0]["state"], "running");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.get("/v1/batches/1/results?wait=30s").expect(200));
        complete(0);
        let page = waiting.join().unwrap();
        assert_eq!(
            (&page["results"][0]["result"], &page["results"][1]["result"]),
            (&json!(1), &json!(2))
        );
    });
    // What has ended is not waited for.
    server.get("/v1/batches/1/results?wait=30s&after=1").expect(200);
    server.get("/v1/batches/1/results?wait=30s&after=2").expect(200);
}

#[test]
fn the_lines_of_a_batch_have_all_results_whatever_their_number() {
    let server = Server::start();
    let jobs: Vec<Value> = (0..2_500).map(echo).collect();
    server.post("/v1/batches", &json!({"jobs": jobs})).expect(202);
    let answer = server.request(
        "GET",
        "/v1/batches/1/results?wait=60s",
        &[("accept", "text/plain, application/x-ndjson;q=0.9")],
        b"",
    );
    let lines = answer_lines(&answer);
    let results: Vec<i64> = lines.iter().map(|line| line["result"].as_i64().unwrap()).collect();
    assert_eq!(results, (0..2_500).collect::<Vec<_>>());
    let path = "/v1/batches/1/results?after=2499";
    let accept = [("accept", "application/x-ndjson")];
    assert_eq!(answer_lines(&server.request("GET", path, &accept, b"")).len(), 1);
    let refused = server.request("GET", "/v1/batches/1/results?limit=5", &accept, b"");
    refused.problem(400);
    assert_eq!(pointers(&refused), ["/limit"]);
    server.request("GET", "/v1/batches/2/results", &accept, b"").problem(404);
}

#[test]
fn lines_are_sent_although_there_is_little_room_for_answers() {
    let server = Setup::new().config("[limits]\nmax_answer_bytes_in_flight = 100000\n").start();
    let large = "x".repeat(400_000);
    ended_batch(&server, &vec![echo(large.as_str()); 8]);
    let accept = [("accept", "application/x-ndjson")];
    std::thread::scope(|scope| {
        // A stream that has begun waits for room; one that has not is refused.
        let read = || {
            eventually("there is room for a first page", || {
                let answer = server.request("GET", "/v1/batches/1/results", &accept, b"");
                (answer.status != 503).then(|| answer_lines(&answer).len())
            })
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(read)).collect();
        for client in clients {
            assert_eq!(client.join().unwrap(), 8);
        }
    });
}
