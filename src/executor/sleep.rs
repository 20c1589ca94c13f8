//! Jobs that wait, for trying and measuring.

use serde::Deserialize;

use crate::job::outcome::{JobResult, Outcome};
use crate::job::problem::Problem;
use crate::job::{Json, Span};

/// The payload of a `sleep` job.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sleep {
    /// How long, for example `"30s"`.
    duration: Span,
}

/// What is wrong with a payload.
pub(super) fn check(payload: &Json) -> Vec<Problem> {
    payload.read::<Sleep>().err().into_iter().collect()
}

/// Waits; the result is `null`.
pub(super) async fn run(payload: &Json) -> Outcome {
    match payload.read::<Sleep>() {
        Ok(sleep) => {
            tokio::time::sleep(sleep.duration.duration()).await;
            Outcome::Completed(JobResult::whole(Json::null()))
        }
        Err(problem) => Outcome::fatal("bad_payload", problem),
    }
}
