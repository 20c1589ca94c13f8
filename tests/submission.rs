//! Problems that the library reports for an invalid submission.

#![allow(clippy::unwrap_used, reason = "a test fails at the first unexpected error")]

use longshore::config::Config;
use longshore::job::Submission;
use longshore::server::{Error, Server};
use serde_json::{Value, json};

/// Returns the JSON pointers of all problems of a submission.
async fn pointers(submission: Value) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { database: directory.path().join("jobs.db").into(), ..Config::default() };
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
async fn problems_of_the_job_and_of_its_payload_are_reported_together() {
    let invalid = json!({"kind": "sleep", "payload": {"duration": "soon"}, "priority": 500});
    assert_eq!(pointers(invalid).await, ["/priority", "/payload/duration"]);
    let invalid = json!({"kind": "sleep", "payload": {"duration": "soon"}});
    assert_eq!(pointers(invalid).await, ["/payload/duration"]);
}
