//! `/v1/batches`: submit, list, get, cancel and retry batches.

pub(super) mod results;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::{Payload, ReqData};
use serde_json::value::RawValue;

use crate::api::batches::{BatchPage, NewBatch};
use crate::config::Limits;
use crate::http::problem::Rejection;
use crate::http::request::body;
use crate::http::request::idempotency_key::{self, RequestKey};
use crate::http::request::prefer;
use crate::http::request::query::{self, NoQuery, Parameters};
use crate::http::response::{HandlerResult, accepted, ok};
use crate::job::batch::BatchOptions;
use crate::job::problem::{CountedList, Discarded, Problem, parse_json, parse_json_list};
use crate::job::{BatchId, State, Submission};
use crate::server::{ByteShare, Handle, LARGE_BYTES, SubmissionKey, fingerprint};

pub(super) async fn submit(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: ReqData<Handle>,
) -> HandlerResult {
    body::require_json(&request)?;
    let body = body::read(&request, payload, &handle, ByteShare::Submissions).await?;
    let key = idempotency_key::from_request(&request)?;
    let limits = handle.config().limits;
    let read = move |body: &[u8]| read_batch(body, &limits, key);
    let (options, CountedList { values, count }, key) = body.process(&handle, read).await?;
    handle.check_number_of_jobs(count, "/jobs")?;
    let submitted = handle.submit_batch(options, values, key).await?.value;
    Ok(accepted(Some(format!("/v1/batches/{}", submitted.batch.id)), &submitted))
}

/// A batch as it is submitted: its options, its first jobs and its idempotency key.
type ReadBatch = (BatchOptions, CountedList<Submission>, Option<SubmissionKey>);

/// Reads a batch, of which at most the first `max_jobs_per_request` jobs are kept.
fn read_batch(
    body: &[u8],
    limits: &Limits,
    key: Option<RequestKey>,
) -> Result<ReadBatch, Rejection> {
    let Limits { max_jobs_per_request: max, max_payload_bytes, .. } = *limits;
    let (options, jobs) = if body.len() <= LARGE_BYTES {
        let NewBatch::<Vec<Submission>> { name, callback, then, jobs } = body::parse(body)?;
        let jobs = CountedList { count: jobs.len(), values: jobs };
        (BatchOptions { name, callback, then }, jobs)
    } else {
        // The list is parsed by itself, because it may be far too long for the memory.
        let NewBatch::<&RawValue> { name, callback, then, jobs } = body::parse(body)?;
        let jobs = parse_json_list(jobs.get().as_bytes(), max)
            .map_err(|problem| jobs_rejection(body, problem))?;
        (BatchOptions { name, callback, then }, jobs)
    };
    let of_batch =
        |path: &str| fingerprint::of_batch(path, &options, &jobs.values, max_payload_bytes);
    let key = key.map(|key| key.of(body, of_batch));
    Ok((options, jobs, key))
}

/// Returns the rejection of a list of jobs in the body of a batch, with its position in the body.
fn jobs_rejection(body: &[u8], problem: Problem) -> Rejection {
    match parse_json::<NewBatch<Discarded<Submission>>>(body) {
        Err(located) => Rejection::invalid(body::status_of(body), vec![located]),
        Ok(_) => Rejection::invalid(StatusCode::UNPROCESSABLE_ENTITY, vec![problem.under("/jobs")]),
    }
}

pub(super) async fn list(request: HttpRequest, handle: ReqData<Handle>) -> HandlerResult {
    let (limit, before) = query::page(&request)?;
    let page = handle.batches(limit, before).await?;
    let next_cursor = page.next.map(|id| id.to_string());
    Ok(ok(&BatchPage { batches: page.batches, next_cursor }))
}

pub(super) async fn status(request: HttpRequest, handle: ReqData<Handle>) -> HandlerResult {
    let id: BatchId = query::id(&request)?;
    let batch = match prefer::wait(&request)?.span() {
        Some(span) => handle.wait_batch(id, span).await?,
        None => handle.batch(id).await?,
    };
    Ok(ok(&batch))
}

pub(super) async fn cancel_batch(
    request: HttpRequest,
    _: NoQuery,
    handle: ReqData<Handle>,
) -> HandlerResult {
    Ok(ok(&handle.cancel_batch(query::id(&request)?).await?))
}

pub(super) async fn retry_batch(request: HttpRequest, handle: ReqData<Handle>) -> HandlerResult {
    let id: BatchId = query::id(&request)?;
    let mut parameters = Parameters::read(&request, &["state"])?;
    let states = states_to_retry(&mut parameters);
    parameters.checked()?;
    Ok(ok(&handle.retry_batch(id, states).await?))
}

/// Returns the states of the jobs that are retried: `failed` unless the request names others.
fn states_to_retry(parameters: &mut Parameters) -> Vec<State> {
    let Some(text) = parameters.take("state") else { return vec![State::Failed] };
    let state = |name: &str| match name {
        "failed" => Some(State::Failed),
        "cancelled" => Some(State::Cancelled),
        _ => None,
    };
    let states: Option<Vec<State>> = text.split(',').map(state).collect();
    if states.is_none() {
        parameters.add_problem("state", "must be failed, cancelled, or failed,cancelled");
    }
    states.unwrap_or_default()
}
