//! A server inside the process of the test, as in an application that embeds it.

use longshore::config::{AllowedNetwork, Config};
use longshore::job::{Job, Submission};
use longshore::server::{Builder, Handle, Server};
use serde_json::Value;
use tempfile::TempDir;

use crate::kit::TEST_TIMEOUT;

/// Returns the builder of a server with one thread for blocking handlers.
pub(crate) fn builder(directory: &TempDir) -> Builder {
    let mut config = Config { database: directory.path().join("a.db").into(), ..Config::default() };
    config.lanes.thread = 1;
    config.outbound.allow_networks = loopback();
    Server::builder(config)
}

/// Returns the networks in which the servers of tests are.
pub(crate) fn loopback() -> Vec<AllowedNetwork> {
    ["127.0.0.0/8", "::1"].map(|network| network.parse().unwrap()).into()
}

/// Returns a job with one attempt.
pub(crate) fn single_attempt(kind: &str, payload: &Value) -> Submission {
    let submission = Submission::new(kind, payload).unwrap();
    Submission { max_attempts: Some(1), ..submission }
}

/// Submits a job, waits until it is final, and returns it.
pub(crate) async fn run(handle: &Handle, submission: Submission) -> Job {
    let job = handle.submit(submission).await.unwrap();
    let job = handle.wait(job.id, TEST_TIMEOUT).await.unwrap();
    assert!(job.state.is_final(), "{job:?}");
    job
}

/// Returns the code of the error of a job.
pub(crate) fn code(job: &Job) -> &str {
    &job.error.as_ref().unwrap().code
}
