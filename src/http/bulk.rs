//! `/v1/jobs/cancel`, `/v1/jobs/retry` and `/v1/jobs/delete`: one action on many jobs.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::{Payload, ReqData};

use crate::api::bulk::{JobAnswer, JobAnswers, JobIds, parse_id};
use crate::http::problem::Rejection;
use crate::http::request::body;
use crate::http::request::query::NoQuery;
use crate::http::response::{HandlerResult, ok};
use crate::job::problem::Problem;
use crate::job::{JobId, Json};
use crate::server::{Error, Handle, JobAction, check_count};

pub(super) async fn cancel(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: ReqData<Handle>,
) -> HandlerResult {
    apply_to_all(JobAction::Cancel, &request, payload, &handle).await
}

pub(super) async fn retry(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: ReqData<Handle>,
) -> HandlerResult {
    apply_to_all(JobAction::Retry, &request, payload, &handle).await
}

pub(super) async fn delete(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: ReqData<Handle>,
) -> HandlerResult {
    apply_to_all(JobAction::Delete, &request, payload, &handle).await
}

/// Applies an action to each entry by itself: an entry that is no id does not affect the others.
async fn apply_to_all(
    action: JobAction,
    request: &HttpRequest,
    payload: Payload,
    handle: &Handle,
) -> HandlerResult {
    let JobIds { ids: entries } = body::json(request, payload, handle).await?;
    check_count(entries.len()).map_err(|problem| Error::Invalid(vec![problem.under("/ids")]))?;
    let read: Vec<_> =
        entries.iter().enumerate().map(|(index, entry)| read(index, entry)).collect();
    let ids: Vec<JobId> = read.iter().flatten().copied().collect();
    let results =
        if ids.is_empty() { Vec::new() } else { handle.apply_to_all(action, ids).await? };
    let mut results = results.into_iter();
    let answers = entries.iter().zip(read).map(|(entry, id)| {
        let result = id.and_then(|id| match results.next() {
            Some(Err(refusal)) => Err(refusal.into()),
            _ => Ok(id),
        });
        JobAnswer::new(entry, result.map_err(Rejection::entry_problem))
    });
    Ok(ok(&JobAnswers { answers: answers.collect() }))
}

fn read(index: usize, entry: &Json) -> Result<JobId, Rejection> {
    parse_id(entry).map_err(|why| {
        let problem = Problem::new(format!("/ids/{index}"), why);
        Rejection::invalid(StatusCode::UNPROCESSABLE_ENTITY, vec![problem])
    })
}
