//! `/v1/leases`: jobs for remote workers.

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, Resource};
use serde::Serialize;

use crate::http::answer::{Answered, ok, resource};
use crate::http::body;
use crate::http::many::Many;
use crate::http::problem::{Refused, Rejection};
use crate::http::query::{self, NoQuery};
use crate::job::lease::{Lease, LeaseToken, LeasedJob};
use crate::job::remote::{LeaseAction, LeaseJobsRequest};
use crate::job::{BatchId, JobId, Json, QueueName, Span, State, Timestamp};
use crate::server::{Error, Handle, LeaseActionResult};
use crate::store::Refusal;

pub(super) fn all() -> Resource {
    resource("/v1/leases", "POST").route(web::post().to(lease))
}

pub(super) fn many() -> Resource {
    resource("/v1/leases/finish", "POST").route(web::post().to(act_on_many))
}

pub(super) fn one() -> Resource {
    resource("/v1/leases/{id}/{action}", "POST").route(web::post().to(act))
}

#[derive(Serialize)]
struct Leased {
    jobs: Vec<Work>,
}

/// A job as its remote worker needs it.
#[derive(Serialize)]
struct Work {
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

impl From<LeasedJob> for Work {
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

/// What became of an action on a lease.
#[derive(Serialize)]
struct Answer {
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
    problem: Option<Refused>,
}

#[derive(Serialize)]
struct Answers {
    answers: Vec<Answer>,
}

impl Answer {
    fn bare(lease: Lease) -> Self {
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

    fn of(lease: Lease, acted: LeaseActionResult) -> Self {
        let bare = Self::bare(lease);
        match acted {
            LeaseActionResult::Finished { state, result_truncated } => {
                let result_truncated = result_truncated.then_some(true);
                Self { state: Some(state), result_truncated, ..bare }
            }
            LeaseActionResult::Repeated => Self { repeated: Some(true), ..bare },
            LeaseActionResult::Renewed { lease_expires_at, cancel } => {
                let lease_expires_at = Some(lease_expires_at);
                Self { lease_expires_at, cancel: Some(cancel), ..bare }
            }
        }
    }

    /// The same of one among many, which has a status of its own.
    fn of_many(lease: Lease, acted: Result<LeaseActionResult, Refusal>) -> Self {
        match acted {
            Ok(acted) => {
                let status = Some(StatusCode::OK.as_u16());
                Self { status, ..Self::of(lease, acted) }
            }
            Err(refusal) => {
                let refused = Rejection::from(refusal).refused();
                Self { status: Some(refused.0), problem: Some(refused.1), ..Self::bare(lease) }
            }
        }
    }
}

async fn lease(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: Data<Handle>,
) -> Answered {
    let call: LeaseJobsRequest = body::json(&request, payload, &handle).await?;
    let jobs = handle.lease(call).await?;
    Ok(ok(&Leased { jobs: jobs.into_iter().map(Work::from).collect() }))
}

async fn act(request: HttpRequest, _: NoQuery, payload: Payload, handle: Data<Handle>) -> Answered {
    let job = query::id(&request)?;
    let action = action(&request)?;
    body::require_json(&request)?;
    let body = body::read(&request, payload, &handle).await?;
    let (lease, acted) = handle.lease_action(job, action, body::parse(&body)?).await?;
    Ok(ok(&Answer::of(lease, acted)))
}

async fn act_on_many(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: Data<Handle>,
) -> Answered {
    let form = body::form(&request)?;
    let body = body::read(&request, payload, &handle).await?;
    let Many { values, lines } = Many::read(form, &body)?;
    match handle.lease_actions(values).await {
        Err(Error::Invalid(problems)) => Err(Error::Invalid(lines.named(problems)).into()),
        acted => {
            let answer = |(lease, acted)| Answer::of_many(lease, acted);
            Ok(ok(&Answers { answers: acted?.into_iter().map(answer).collect() }))
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
            let detail = format!("a lease has renew, complete, fail and release, and no {other}");
            Err(Rejection::new(StatusCode::NOT_FOUND, "not-found", detail))
        }
    }
}
