//! `/v1/jobs/cancel`, `retry` and `delete`: one thing done to many jobs.

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, Resource};
use serde::{Deserialize, Serialize};

use crate::http::answer::{Answered, ok, resource};
use crate::http::body;
use crate::http::problem::{Refused, Rejection};
use crate::http::query::NoQuery;
use crate::job::JobId;
use crate::server::{Error, Handle, JobAction};
use crate::store::Refusal;

pub(super) fn cancel() -> Resource {
    all("/v1/jobs/cancel", JobAction::Cancel)
}

pub(super) fn retry() -> Resource {
    all("/v1/jobs/retry", JobAction::Retry)
}

pub(super) fn delete() -> Resource {
    all("/v1/jobs/delete", JobAction::Delete)
}

fn all(path: &str, deed: JobAction) -> Resource {
    let to_all =
        move |request, query, payload, handle| apply_to_all(deed, request, query, payload, handle);
    resource(path, "POST").route(web::post().to(to_all))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Jobs {
    ids: Vec<JobId>,
}

#[derive(Serialize)]
struct Answers {
    answers: Vec<Answer>,
}

/// What became of one job.
#[derive(Serialize)]
struct Answer {
    id: JobId,
    status: u16,
    #[serde(flatten)]
    problem: Option<Refused>,
}

impl Answer {
    fn new(id: JobId, done: Result<(), Refusal>) -> Self {
        match done {
            Ok(()) => Self { id, status: StatusCode::OK.as_u16(), problem: None },
            Err(refusal) => {
                let (status, problem) = Rejection::from(refusal).refused();
                Self { id, status, problem: Some(problem) }
            }
        }
    }
}

async fn apply_to_all(
    deed: JobAction,
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: Data<Handle>,
) -> Answered {
    let Jobs { ids } = body::json(&request, payload, &handle).await?;
    match handle.apply_to_all(deed, ids.clone()).await {
        Err(Error::Invalid(problems)) => {
            let problems = problems.into_iter().map(|problem| problem.under("/ids"));
            Err(Error::Invalid(problems.collect()).into())
        }
        done => {
            let answers = ids.into_iter().zip(done?).map(|(id, done)| Answer::new(id, done));
            Ok(ok(&Answers { answers: answers.collect() }))
        }
    }
}
