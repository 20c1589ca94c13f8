//! `/v1/leases`: lease, renew and finish jobs as a remote worker.

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, Resource};
use serde::Serialize;

use crate::http::problem::{EntryProblem, Rejection};
use crate::http::request::body;
use crate::http::request::json_list::JsonList;
use crate::http::request::query::{self, NoQuery};
use crate::http::response::{HandlerResult, ok, resource};
use crate::job::lease::{Lease, LeaseToken, LeasedJob};
use crate::job::remote::{LeaseAction, LeaseJobsRequest};
use crate::job::{BatchId, JobId, Json, QueueName, Span, State, Timestamp};
use crate::server::{Error, Handle, LeaseActionResult};
use crate::store::Refusal;

pub(super) fn all() -> Resource {
    resource("/v1/leases", "POST").route(web::post().to(lease))
}

pub(super) fn many() -> Resource {
    resource("/v1/leases/finish", "POST").route(web::post().to(act_on_list))
}

pub(super) fn one() -> Resource {
    resource("/v1/leases/{id}/{action}", "POST").route(web::post().to(act))
}

#[derive(Serialize)]
struct Leased {
    jobs: Vec<LeasedJobView>,
}

/// A leased job, as its remote worker gets it.
#[derive(Serialize)]
struct LeasedJobView {
    id: JobId,
    kind: String,
    queue: QueueName,
    attempt: u32,
    max_attempts: u32,
    timeout: Span,
    deadline_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<BatchId>,
    lease_token: LeaseToken,
    lease_expires_at: Timestamp,
    payload: Json,
}

impl From<LeasedJob> for LeasedJobView {
    fn from(job: LeasedJob) -> Self {
        Self {
            id: job.lease.job,
            deadline_at: job.started_at.plus(job.timeout.duration()),
            kind: job.kind,
            queue: job.queue,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            timeout: job.timeout,
            batch: job.batch,
            lease_token: job.lease.token,
            lease_expires_at: job.lease_expires_at,
            payload: job.payload,
        }
    }
}

/// Result of an action on a lease. In a list of actions each result has its own status.
#[derive(Serialize)]
struct ActionAnswer {
    id: JobId,
    lease_token: LeaseToken,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_truncated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel: Option<bool>,
    #[serde(flatten)]
    problem: Option<EntryProblem>,
}

#[derive(Serialize)]
struct Answers {
    answers: Vec<ActionAnswer>,
}

impl ActionAnswer {
    fn empty(lease: Lease) -> Self {
        Self {
            id: lease.job,
            lease_token: lease.token,
            status: None,
            state: None,
            result_truncated: None,
            repeated: None,
            lease_expires_at: None,
            cancel: None,
            problem: None,
        }
    }

    fn new(lease: Lease, result: LeaseActionResult) -> Self {
        let empty = Self::empty(lease);
        match result {
            LeaseActionResult::Finished { state, result_truncated } => {
                let result_truncated = result_truncated.then_some(true);
                Self { state: Some(state), result_truncated, ..empty }
            }
            LeaseActionResult::Repeated => Self { repeated: Some(true), ..empty },
            LeaseActionResult::Renewed { lease_expires_at, cancel } => {
                let lease_expires_at = Some(lease_expires_at);
                Self { lease_expires_at, cancel: Some(cancel), ..empty }
            }
        }
    }

    /// Result of one action in a list.
    fn in_list(lease: Lease, result: Result<LeaseActionResult, Refusal>) -> Self {
        match result {
            Ok(result) => {
                let status = Some(StatusCode::OK.as_u16());
                Self { status, ..Self::new(lease, result) }
            }
            Err(refusal) => {
                let (status, problem) = Rejection::from(refusal).entry_problem();
                Self { status: Some(status), problem: Some(problem), ..Self::empty(lease) }
            }
        }
    }
}

async fn lease(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: Data<Handle>,
) -> HandlerResult {
    let wanted: LeaseJobsRequest = body::json(&request, payload, &handle).await?;
    let jobs = handle.lease(wanted).await?;
    Ok(ok(&Leased { jobs: jobs.into_iter().map(LeasedJobView::from).collect() }))
}

async fn act(
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
    Ok(ok(&ActionAnswer::new(lease, result)))
}

async fn act_on_list(
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
            let answer = |(lease, result)| ActionAnswer::in_list(lease, result);
            Ok(ok(&Answers { answers: result?.into_iter().map(answer).collect() }))
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
            Err(Rejection::new(StatusCode::NOT_FOUND, "not-found", detail))
        }
    }
}
