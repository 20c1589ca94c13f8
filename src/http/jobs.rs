//! `/v1/jobs`: submit, list, get, cancel, retry and delete jobs.

use actix_web::web::{Payload, ReqData};
use actix_web::{HttpRequest, HttpResponse};

use crate::api::jobs::{JobPage, SubmittedJobs};
use crate::config::Limits;
use crate::http::problem::Rejection;
use crate::http::request::body::{self, BodyFormat};
use crate::http::request::idempotency_key::{self, RequestKey};
use crate::http::request::json_list::JsonList;
use crate::http::request::prefer::{self, Wait};
use crate::http::request::query::{self, NoQuery, Parameters};
use crate::http::response::{HandlerResult, accepted, changed, fit, in_room, json, ok};
use crate::job::{JobId, JobPatch, Submission};
use crate::server::{
    AnswerShare, AnswerWeight, ByteShare, Error, Handle, SubmissionKey, fingerprint,
};

/// Approximate size of a job without its payload in an answer, in bytes.
const JOB_BYTES: usize = 512;

pub(super) async fn submit(
    request: HttpRequest,
    payload: Payload,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let format = body::format(&request)?;
    let wait = prefer::wait(&request)?;
    let body = body::read(&request, payload, &handle, ByteShare::Submissions).await?;
    let bytes = body.len();
    let key = idempotency_key::from_request(&request)?;
    if format == BodyFormat::Json && !body.is_array() {
        let max = handle.config().limits.max_payload_bytes;
        let read = move |body: &[u8]| read_one(body, key, max);
        let (submission, key) = body.process(&handle, read).await?;
        // The answer contains the payload.
        let room = handle.reserve_answer(AnswerShare::Usual, bytes)?;
        return submit_one(&handle, submission, key, wait, room).await;
    }
    refuse_wait_for_list(wait)?;
    let limits = handle.config().limits;
    let read = move |body: &[u8]| read_many(format, body, &limits, key);
    let (list, key) = body.process(&handle, read).await?;
    let bytes = bytes + list.values.len() * JOB_BYTES;
    let room = handle.reserve_answer(AnswerShare::Usual, bytes)?;
    submit_many(&handle, list, key, room).await
}

fn read_one(
    body: &[u8],
    key: Option<RequestKey>,
    max_payload_bytes: usize,
) -> Result<(Submission, Option<SubmissionKey>), Rejection> {
    let submission: Submission = body::parse(body)?;
    let of_job = |path: &str| fingerprint::of_job(path, &submission, max_payload_bytes);
    let key = key.map(|key| key.of(body, of_job));
    Ok((submission, key))
}

fn read_many(
    format: BodyFormat,
    body: &[u8],
    limits: &Limits,
    key: Option<RequestKey>,
) -> Result<(JsonList<Submission>, Option<SubmissionKey>), Rejection> {
    let Limits { max_jobs_per_request: max, max_payload_bytes, .. } = *limits;
    let list: JsonList<Submission> = JsonList::read(format, body, max)?;
    let of_jobs = |path: &str| fingerprint::of_jobs(path, &list.values, max_payload_bytes);
    let key = key.map(|key| key.of(body, of_jobs));
    Ok((list, key))
}

fn refuse_wait_for_list(wait: Wait) -> Result<(), Rejection> {
    match wait {
        Wait::Asked(_) => {
            let why = "is only supported for a single job; submit several jobs as a batch and wait for the batch";
            Err(Rejection::bad_parameter("wait", why))
        }
        Wait::No | Wait::Preferred(_) => Ok(()),
    }
}

async fn submit_one(
    handle: &Handle,
    submission: Submission,
    key: Option<SubmissionKey>,
    wait: Wait,
    mut room: Option<AnswerWeight>,
) -> HandlerResult {
    let mut job = handle.submit_keyed(submission, key).await?.value;
    if let Some(span) = wait.span() {
        // Others can use the room during the wait.
        drop(room.take());
        // The job is accepted already, so a refused wait must not turn the response into an error.
        job = handle.wait(job.id, span).await.unwrap_or(job);
        room = fit(handle, &mut job);
        if job.state.is_final() {
            let mut response = HttpResponse::Ok();
            if let Wait::Preferred(span) = wait {
                response.insert_header(("preference-applied", format!("wait={}", span.as_secs())));
            }
            return Ok(in_room(json(&mut response, &job), room));
        }
    }
    let location = format!("/v1/jobs/{}", job.id);
    Ok(in_room(accepted(Some(location), &job), room))
}

async fn submit_many(
    handle: &Handle,
    JsonList { values, lines, count }: JsonList<Submission>,
    key: Option<SubmissionKey>,
    room: Option<AnswerWeight>,
) -> HandlerResult {
    handle.check_number_of_jobs(count, 1, "")?;
    match handle.submit_many(values, key).await {
        Err(Error::Invalid(problems)) => Err(Error::Invalid(lines.locate(problems)).into()),
        submitted => {
            let jobs = SubmittedJobs { jobs: submitted?.value };
            Ok(in_room(accepted(None, &jobs), room))
        }
    }
}

pub(super) async fn list(request: HttpRequest, handle: ReqData<Handle>) -> HandlerResult {
    let page = handle.jobs(query::filter(&request)?).await?;
    let next_cursor = page.next.map(|id| id.to_string());
    Ok(ok(&JobPage { jobs: page.jobs, next_cursor }))
}

pub(super) async fn status(request: HttpRequest, handle: ReqData<Handle>) -> HandlerResult {
    let id: JobId = query::id(&request)?;
    let job = match prefer::wait(&request)?.span() {
        Some(span) => handle.wait(id, span).await?,
        None => handle.job(id).await?,
    };
    Ok(ok(&job))
}

pub(super) async fn show_log(request: HttpRequest, handle: ReqData<Handle>) -> HandlerResult {
    let id = query::id(&request)?;
    let mut query = Parameters::read(&request, &["after"])?;
    let after = query.parse("after", "must be a number: the `to` of an earlier part of the log");
    query.checked()?;
    Ok(ok(&handle.log(id, after.unwrap_or(0)).await?))
}

pub(super) async fn cancel_job(
    request: HttpRequest,
    _: NoQuery,
    handle: ReqData<Handle>,
) -> HandlerResult {
    Ok(changed(&handle, handle.cancel(query::id(&request)?).await?))
}

pub(super) async fn retry_job(
    request: HttpRequest,
    _: NoQuery,
    handle: ReqData<Handle>,
) -> HandlerResult {
    Ok(changed(&handle, handle.retry(query::id(&request)?).await?))
}

pub(super) async fn update(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let id = query::id(&request)?;
    let patch: JobPatch = body::json(&request, payload, &handle).await?;
    Ok(changed(&handle, handle.update(id, patch).await?))
}

pub(super) async fn delete(
    request: HttpRequest,
    _: NoQuery,
    handle: ReqData<Handle>,
) -> HandlerResult {
    handle.delete(query::id(&request)?).await?;
    Ok(HttpResponse::NoContent().finish())
}
