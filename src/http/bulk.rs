//! `/v1/jobs/cancel`, `/v1/jobs/retry` and `/v1/jobs/delete`: one action on many jobs.

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, Resource};
use serde::{Deserialize, Serialize};

use crate::http::problem::{EntryProblem, Rejection};
use crate::http::request::body;
use crate::http::request::query::NoQuery;
use crate::http::response::{HandlerResult, ok, resource};
use crate::job::JobId;
use crate::server::{Error, Handle, JobAction};
use crate::store::Refusal;

pub(super) fn cancel() -> Resource {
    resource_for("/v1/jobs/cancel", JobAction::Cancel)
}

pub(super) fn retry() -> Resource {
    resource_for("/v1/jobs/retry", JobAction::Retry)
}

pub(super) fn delete() -> Resource {
    resource_for("/v1/jobs/delete", JobAction::Delete)
}

fn resource_for(path: &str, action: JobAction) -> Resource {
    let handler = move |request, query, payload, handle| {
        apply_to_all(action, request, query, payload, handle)
    };
    resource(path, "POST").route(web::post().to(handler))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JobIds {
    ids: Vec<JobId>,
}

#[derive(Serialize)]
struct Answers {
    answers: Vec<JobAnswer>,
}

/// Result of the action for one job.
#[derive(Serialize)]
struct JobAnswer {
    id: JobId,
    status: u16,
    #[serde(flatten)]
    problem: Option<EntryProblem>,
}

impl JobAnswer {
    fn new(id: JobId, result: Result<(), Refusal>) -> Self {
        match result {
            Ok(()) => Self { id, status: StatusCode::OK.as_u16(), problem: None },
            Err(refusal) => {
                let (status, problem) = Rejection::from(refusal).entry_problem();
                Self { id, status, problem: Some(problem) }
            }
        }
    }
}

async fn apply_to_all(
    action: JobAction,
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: Data<Handle>,
) -> HandlerResult {
    let JobIds { ids } = body::json(&request, payload, &handle).await?;
    match handle.apply_to_all(action, ids.clone()).await {
        Err(Error::Invalid(problems)) => {
            let problems = problems.into_iter().map(|problem| problem.under("/ids"));
            Err(Error::Invalid(problems.collect()).into())
        }
        results => {
            let answers =
                ids.into_iter().zip(results?).map(|(id, result)| JobAnswer::new(id, result));
            Ok(ok(&Answers { answers: answers.collect() }))
        }
    }
}
