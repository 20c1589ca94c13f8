//! `/v1/jobs/cancel`, `/v1/jobs/retry` and `/v1/jobs/delete`: one action on many jobs.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};

use crate::api::bulk::{JobAnswer, JobAnswers, JobIds};
use crate::http::problem::Rejection;
use crate::http::request::body;
use crate::http::request::query::NoQuery;
use crate::http::response::{HandlerResult, ok};
use crate::job::JobId;
use crate::server::{Error, Handle, JobAction};
use crate::store::Refusal;

pub(super) async fn cancel(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: Data<Handle>,
) -> HandlerResult {
    apply_to_all(JobAction::Cancel, &request, payload, &handle).await
}

pub(super) async fn retry(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: Data<Handle>,
) -> HandlerResult {
    apply_to_all(JobAction::Retry, &request, payload, &handle).await
}

pub(super) async fn delete(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: Data<Handle>,
) -> HandlerResult {
    apply_to_all(JobAction::Delete, &request, payload, &handle).await
}

fn answer(id: JobId, result: Result<(), Refusal>) -> JobAnswer {
    match result {
        Ok(()) => JobAnswer { id, status: StatusCode::OK.as_u16(), problem: None },
        Err(refusal) => {
            let (status, problem) = Rejection::from(refusal).entry_problem();
            JobAnswer { id, status, problem: Some(problem) }
        }
    }
}

async fn apply_to_all(
    action: JobAction,
    request: &HttpRequest,
    payload: Payload,
    handle: &Handle,
) -> HandlerResult {
    let JobIds { ids } = body::json(request, payload, handle).await?;
    match handle.apply_to_all(action, ids.clone()).await {
        Err(Error::Invalid(problems)) => {
            let problems = problems.into_iter().map(|problem| problem.under("/ids"));
            Err(Error::Invalid(problems.collect()).into())
        }
        results => {
            let answers = ids.into_iter().zip(results?).map(|(id, result)| answer(id, result));
            Ok(ok(&JobAnswers { answers: answers.collect() }))
        }
    }
}
