//! The page of a batch: its buttons, its download and the metadata of its jobs.

use serde_json::json;

use super::{page, redirect_of};
use crate::kit::{Server, echo, with};

#[test]
fn the_page_of_a_batch_shows_metadata_and_offers_its_results() {
    let server = Server::start();
    let tagged = with(echo(1), &json!({"metadata": {"row": 4711}}));
    server.post("/v1/batches", &json!({"jobs": [tagged, echo(2)]})).expect(202);
    server.get("/v1/batches/1?wait=30s").expect(200);
    let html = page(&server, "/batches/1");
    assert!(
        html.contains("4711") && html.contains("/v1/batches/1/results?format=ndjson"),
        "{html}"
    );
    assert!(!html.contains("Retry failed jobs") && !html.contains("Close batch"), "{html}");
    let file = server.get("/v1/batches/1/results?format=ndjson");
    assert_eq!(file.header("content-disposition"), Some("attachment; filename=\"batch-1.ndjson\""));
    assert_eq!(file.body.iter().filter(|byte| **byte == b'\n').count(), 2);
    server.get("/v1/batches/1/results?format=csv").problem(400);
}

#[test]
fn failed_jobs_are_retried_and_an_open_batch_is_closed_by_buttons() {
    let server = Server::start();
    let fails =
        json!({"kind": "http", "payload": {"url": "http://127.0.0.1:1/"}, "max_attempts": 1});
    server.post("/v1/batches", &json!({"jobs": [fails]})).expect(202);
    server.get("/v1/batches/1?wait=30s").expect(200);
    assert!(page(&server, "/batches/1").contains("Retry failed jobs"));
    assert_eq!(redirect_of(&server, "/batches/1/retry", ""), "/batches/1");
    assert_eq!(server.wait_until_final(1)["attempt"], 2);
    server.post("/v1/batches", &json!({"jobs": [], "open": true})).expect(202);
    let html = page(&server, "/batches/2");
    assert!(html.contains("Close batch") && html.contains("This batch has no jobs yet."), "{html}");
    assert_eq!(redirect_of(&server, "/batches/2/close", ""), "/batches/2");
    let html = page(&server, "/batches/2");
    assert!(!html.contains("Close batch") && html.contains("This batch has no jobs."), "{html}");
}
