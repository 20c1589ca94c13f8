//! `GET /v1/jobs`: filters, cursors and included fields.

use serde_json::{Value, json};

use crate::kit::{Server, echo, sleep, with};

fn ids(page: &Value) -> Vec<i64> {
    page["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()).collect()
}

fn list(server: &Server, query: &str) -> Vec<i64> {
    ids(&server.get(&format!("/v1/jobs?{query}")).expect(200))
}

/// Starts a server with one job in each of several states: 1 completed, 2 scheduled, 3 running,
/// 4 cancelled, 5 failed, 6 and 7 completed and in a batch.
fn jobs_in_several_states() -> Server {
    let server = Server::start();
    server.run(&with(echo(1), &json!({"tags": ["red", "blue"]})));
    server.submit(&with(echo(2), &json!({"delay": "1h", "queue": "mail", "tags": ["red"]})));
    server.submit(&with(sleep("1h"), &json!({"queue": "mail"})));
    server.wait_for_state(3, "running");
    server.submit(&with(echo(4), &json!({"delay": "1h"})));
    server.post_empty("/v1/jobs/4/cancel").expect(200);
    let failing =
        json!({"kind": "http", "payload": {"url": "http://127.0.0.1:1/"}, "max_attempts": 1});
    assert_eq!(server.run(&failing)["state"], "failed");
    let batch = server.post("/v1/batches", &json!({"jobs": [echo(6), echo(7)]})).expect(202);
    assert_eq!(batch["id"], 1);
    server.wait_until_final(6);
    server.wait_until_final(7);
    server
}

#[test]
fn every_filter_finds_its_jobs_newest_first() {
    let server = jobs_in_several_states();
    assert_eq!(list(&server, ""), [7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(list(&server, "state=completed"), [7, 6, 1]);
    assert_eq!(list(&server, "state=scheduled"), [2]);
    assert_eq!(list(&server, "state=running"), [3]);
    assert_eq!(list(&server, "state=cancelled"), [4]);
    assert_eq!(list(&server, "state=failed"), [5]);
    assert_eq!(list(&server, "state=queued"), [0; 0]);
    assert_eq!(list(&server, "state=retrying"), [0; 0]);
    assert_eq!(list(&server, "queue=mail"), [3, 2]);
    assert_eq!(list(&server, "kind=http"), [5]);
    assert_eq!(list(&server, "tag=red"), [2, 1]);
    assert_eq!(list(&server, "tag=blue&state=completed&queue=default&kind=echo"), [1]);
    assert_eq!(list(&server, "tag=blue&state=failed"), [0; 0]);
    assert_eq!(list(&server, "batch=1"), [7, 6]);
    assert_eq!(list(&server, "batch=2"), [0; 0]);
    assert_eq!(list(&server, "queue=nobody"), [0; 0]);
}

#[test]
fn a_cursor_reads_all_pages_while_new_jobs_arrive() {
    let server = Server::start();
    let jobs: Vec<Value> = (0..25).map(|_| with(echo(1), &json!({"tags": ["t"]}))).collect();
    server.post("/v1/jobs", &json!(jobs)).expect(202);
    for filter in ["", "&tag=t", "&kind=echo&queue=default"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = server.get(&format!("/v1/jobs?limit=10{filter}{cursor}")).expect(200);
            assert!(ids(&page).len() <= 10);
            seen.extend(ids(&page).into_iter().filter(|id| *id <= 25));
            server.submit(&with(echo(1), &json!({"tags": ["t"]})));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, (1..=25).rev().collect::<Vec<_>>(), "{filter}");
    }
}

#[test]
fn payloads_and_results_are_shown_on_demand() {
    let server = Server::start();
    server.run(&echo("secret"));
    let first =
        |query: &str| server.get(&format!("/v1/jobs{query}")).expect(200)["jobs"][0].clone();
    let plain = first("");
    assert_eq!((plain.get("payload"), plain["result"].is_null()), (None, true), "{plain}");
    assert_eq!(first("?include=payload")["payload"], "secret");
    assert_eq!(first("?include=result")["result"], "secret");
    let both = first("?include=payload,result");
    assert_eq!((&both["payload"], &both["result"]), (&json!("secret"), &json!("secret")));
}

#[test]
fn a_bad_filter_is_refused() {
    let server = Server::start();
    let bad = [
        "state=done",
        "queue=A",
        "batch=x",
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=x",
        "include=everything",
        "colour=red",
        "state=failed&state=queued",
    ];
    for query in bad {
        server.get(&format!("/v1/jobs?{query}")).problem(400);
    }
    assert_eq!(list(&server, "limit=200"), [0; 0]);
}
