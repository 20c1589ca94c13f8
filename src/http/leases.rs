//! `/v1/leases`: lease, renew and finish jobs as a remote worker.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};

use crate::api::leases::{
    LeaseAction, LeaseAnswer, LeaseAnswers, LeaseJobsRequest, LeasedJobView, LeasedJobs,
};
use crate::api::problem::ProblemType;
use crate::http::problem::Rejection;
use crate::http::request::body;
use crate::http::request::json_list::JsonList;
use crate::http::request::query::{self, NoQuery};
use crate::http::response::{HandlerResult, ok};
use crate::job::lease::Lease;
use crate::server::{Error, Handle, LeaseActionResult};
use crate::store::Refusal;

/// Returns the answer to one action.
fn answer(lease: Lease, result: LeaseActionResult) -> LeaseAnswer {
    let answer = LeaseAnswer::new(lease);
    match result {
        LeaseActionResult::Finished { state, result_truncated } => {
            let result_truncated = result_truncated.then_some(true);
            LeaseAnswer { state: Some(state), result_truncated, ..answer }
        }
        LeaseActionResult::Repeated => LeaseAnswer { repeated: Some(true), ..answer },
        LeaseActionResult::Renewed { lease_expires_at, cancel } => {
            let lease_expires_at = Some(lease_expires_at);
            LeaseAnswer { lease_expires_at, cancel: Some(cancel), ..answer }
        }
    }
}

/// Returns the answer to one action of a list, which has a status of its own.
fn answer_in_list(lease: Lease, result: Result<LeaseActionResult, Refusal>) -> LeaseAnswer {
    match result {
        Ok(result) => {
            LeaseAnswer { status: Some(StatusCode::OK.as_u16()), ..answer(lease, result) }
        }
        Err(refusal) => {
            let (status, problem) = Rejection::from(refusal).entry_problem();
            LeaseAnswer { status: Some(status), problem: Some(problem), ..LeaseAnswer::new(lease) }
        }
    }
}

pub(super) async fn lease(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: Data<Handle>,
) -> HandlerResult {
    let wanted: LeaseJobsRequest = body::json(&request, payload, &handle).await?;
    let jobs = handle.lease(wanted).await?;
    Ok(ok(&LeasedJobs { jobs: jobs.into_iter().map(LeasedJobView::from).collect() }))
}

pub(super) async fn act(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: Data<Handle>,
) -> HandlerResult {
    let job = query::id(&request)?;
    let action = action(&request)?;
    body::require_json(&request)?;
    let body = body::read(&request, payload, &handle).await?;
    let (lease, result) = handle.lease_action(job, action, body::parse(&body)?).await?;
    Ok(ok(&answer(lease, result)))
}

pub(super) async fn act_on_list(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: Data<Handle>,
) -> HandlerResult {
    let format = body::format(&request)?;
    let body = body::read(&request, payload, &handle).await?;
    let JsonList { values, lines } = JsonList::read(format, &body)?;
    match handle.lease_actions(values).await {
        Err(Error::Invalid(problems)) => Err(Error::Invalid(lines.locate(problems)).into()),
        result => {
            let answer = |(lease, result)| answer_in_list(lease, result);
            Ok(ok(&LeaseAnswers { answers: result?.into_iter().map(answer).collect() }))
        }
    }
}

fn action(request: &HttpRequest) -> Result<LeaseAction, Rejection> {
    match request.match_info().get("action").unwrap_or_default() {
        "renew" => Ok(LeaseAction::Renew),
        "complete" => Ok(LeaseAction::Complete),
        "fail" => Ok(LeaseAction::Fail),
        "release" => Ok(LeaseAction::Release),
        other => {
            let detail = format!("unknown action {other}: use renew, complete, fail or release");
            Err(Rejection::new(ProblemType::NotFound, detail))
        }
    }
}
