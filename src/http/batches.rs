//! `/v1/batches`: list, get, cancel, close and retry batches.

pub(super) mod results;
pub(super) mod submit;

use actix_web::HttpRequest;
use actix_web::web::ReqData;

use crate::api::batches::BatchPage;
use crate::http::request::prefer;
use crate::http::request::query::{self, NoQuery, Parameters};
use crate::http::response::{HandlerResult, ok};
use crate::job::{BatchId, JobId, State};
use crate::server::Handle;

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

pub(super) async fn close_batch(
    request: HttpRequest,
    _: NoQuery,
    handle: ReqData<Handle>,
) -> HandlerResult {
    Ok(ok(&handle.close_batch(query::id(&request)?).await?))
}

pub(super) async fn retry_batch(request: HttpRequest, handle: ReqData<Handle>) -> HandlerResult {
    let id: BatchId = query::id(&request)?;
    let mut parameters = Parameters::read(&request, &["state", "after"])?;
    let states = states_to_retry(&mut parameters);
    let after = parameters.parse("after", "must be the id of a job, a number");
    parameters.checked()?;
    Ok(ok(&handle.retry_batch(id, states, after.unwrap_or(JobId(0))).await?))
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
