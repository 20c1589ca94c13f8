//! What an application is told of a submission that is not valid.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use longshore::config::Config;
use longshore::job::Submission;
use longshore::server::{Error, Server};
use serde_json::{Value, json};

/// The places of all problems of a submission.
async fn places(submission: Value) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { database: directory.path().join("jobs.db"), ..Config::default() };
    let server = Server::builder(config).start().unwrap();
    let submission: Submission = serde_json::from_str(&submission.to_string()).unwrap();
    let answer = server.handle().submit(submission).await;
    server.shutdown().await;
    match answer {
        Err(Error::Invalid(problems)) => problems.into_iter().map(|p| p.pointer).collect(),
        other => panic!("{other:?}"),
    }
}

#[actix_web::test]
async fn what_is_wrong_with_the_job_and_with_its_payload_is_told_at_once() {
    let wrong = json!({"kind": "sleep", "payload": {"duration": "soon"}, "priority": 500});
    assert_eq!(places(wrong).await, ["/priority", "/payload/duration"]);
    let wrong = json!({"kind": "sleep", "payload": {"duration": "soon"}});
    assert_eq!(places(wrong).await, ["/payload/duration"]);
}
