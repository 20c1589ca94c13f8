//! `POST /v1/batches` and `POST /v1/batches/{id}/jobs`: submit a batch, and add jobs to an open one.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::{Payload, ReqData};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::api::batches::{AddedJobs, MoreJobs, NewBatch};
use crate::config::Limits;
use crate::http::problem::Rejection;
use crate::http::request::body;
use crate::http::request::idempotency_key::{self, RequestKey};
use crate::http::request::query::{self, NoQuery};
use crate::http::response::{HandlerResult, accepted};
use crate::job::batch::{BatchOptions, SubmittedBatch};
use crate::job::problem::{CountedList, Discarded, Problem, parse_json, parse_json_list};
use crate::job::{BatchId, Submission};
use crate::server::{ByteShare, Handle, LARGE_BYTES, SubmissionKey, fingerprint};

pub(in crate::http) async fn submit(
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
    handle.check_number_of_jobs(count, 0, "/jobs")?;
    let submitted = handle.submit_batch(options, values, key).await?.value;
    Ok(accepted(Some(format!("/v1/batches/{}", submitted.batch.id)), &submitted))
}

pub(in crate::http) async fn add_jobs(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let id: BatchId = query::id(&request)?;
    body::require_json(&request)?;
    let body = body::read(&request, payload, &handle, ByteShare::Submissions).await?;
    let key = idempotency_key::from_request(&request)?;
    let limits = handle.config().limits;
    let read = move |body: &[u8]| read_more_jobs(body, &limits, key);
    let (CountedList { values, count }, key) = body.process(&handle, read).await?;
    handle.check_number_of_jobs(count, 1, "/jobs")?;
    let SubmittedBatch { batch, job_ids } = handle.add_jobs(id, values, key).await?.value;
    Ok(accepted(None, &AddedJobs { batch, job_ids }))
}

/// A batch as it is submitted: its options, its first jobs and its idempotency key.
type ReadBatch = (BatchOptions, CountedList<Submission>, Option<SubmissionKey>);

/// Reads a batch, of which at most the first `max_jobs_per_request` jobs are kept.
fn read_batch(
    body: &[u8],
    limits: &Limits,
    key: Option<RequestKey>,
) -> Result<ReadBatch, Rejection> {
    let (options, jobs) = if body.len() <= LARGE_BYTES {
        let NewBatch::<Vec<Submission>> { name, callback, then, open, jobs } = body::parse(body)?;
        (BatchOptions { name, callback, then, open }, whole_list(jobs))
    } else {
        let NewBatch::<&RawValue> { name, callback, then, open, jobs } = body::parse(body)?;
        let jobs = long_list::<NewBatch<Discarded<Submission>>>(body, jobs, limits)?;
        (BatchOptions { name, callback, then, open }, jobs)
    };
    let max_bytes = limits.max_payload_bytes;
    let of_batch = |path: &str| fingerprint::of_batch(path, &options, &jobs.values, max_bytes);
    let key = key.map(|key| key.of(body, of_batch));
    Ok((options, jobs, key))
}

/// Reads jobs to add, of which at most the first `max_jobs_per_request` are kept.
fn read_more_jobs(
    body: &[u8],
    limits: &Limits,
    key: Option<RequestKey>,
) -> Result<(CountedList<Submission>, Option<SubmissionKey>), Rejection> {
    let jobs = if body.len() <= LARGE_BYTES {
        whole_list(body::parse::<MoreJobs<Vec<Submission>>>(body)?.jobs)
    } else {
        let jobs = body::parse::<MoreJobs<&RawValue>>(body)?.jobs;
        long_list::<MoreJobs<Discarded<Submission>>>(body, jobs, limits)?
    };
    let max_bytes = limits.max_payload_bytes;
    let key =
        key.map(|key| key.of(body, |path| fingerprint::of_jobs(path, &jobs.values, max_bytes)));
    Ok((jobs, key))
}

fn whole_list(jobs: Vec<Submission>) -> CountedList<Submission> {
    CountedList { count: jobs.len(), values: jobs }
}

/// Parses a list by itself, because it may be far too long for the memory. `B` is the form of the body, with
/// which an error in the list is found again with its position in the body.
fn long_list<B: DeserializeOwned>(
    body: &[u8],
    jobs: &RawValue,
    limits: &Limits,
) -> Result<CountedList<Submission>, Rejection> {
    let parsed = parse_json_list(jobs.get().as_bytes(), limits.max_jobs_per_request);
    parsed.map_err(|problem| jobs_rejection::<B>(body, problem))
}

/// Returns the rejection of a list of jobs in a body, with its position in the body.
fn jobs_rejection<B: DeserializeOwned>(body: &[u8], problem: Problem) -> Rejection {
    match parse_json::<B>(body) {
        Err(located) => Rejection::invalid(body::status_of(body), vec![located]),
        Ok(_) => Rejection::invalid(StatusCode::UNPROCESSABLE_ENTITY, vec![problem.under("/jobs")]),
    }
}
