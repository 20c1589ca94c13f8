//! `/v1/batches`: submit, list, get and cancel batches.

use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, Resource};
use serde::{Deserialize, Serialize};

use crate::http::request::body;
use crate::http::request::idempotency_key;
use crate::http::request::prefer;
use crate::http::request::query::{self, NoQuery};
use crate::http::response::{HandlerResult, accepted, ok, resource};
use crate::job::batch::Batch;
use crate::job::{BatchId, Submission};
use crate::server::Handle;

pub(super) fn all() -> Resource {
    resource("/v1/batches", "GET, POST").route(web::post().to(submit)).route(web::get().to(list))
}

pub(super) fn one() -> Resource {
    resource("/v1/batches/{id}", "GET").route(web::get().to(status))
}

pub(super) fn cancel() -> Resource {
    resource("/v1/batches/{id}/cancel", "POST").route(web::post().to(cancel_batch))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewBatch {
    #[serde(default)]
    name: Option<String>,
    jobs: Vec<Submission>,
}

async fn submit(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: Data<Handle>,
) -> HandlerResult {
    body::require_json(&request)?;
    let body = body::read(&request, payload, &handle).await?;
    let key = idempotency_key::from_request(&request, &body)?;
    let NewBatch { name, jobs } = body::parse(&body)?;
    let batch = handle.submit_batch(name, jobs, key).await?.value;
    Ok(accepted(Some(format!("/v1/batches/{}", batch.id)), &batch))
}

#[derive(Serialize)]
struct Page {
    batches: Vec<Batch>,
    next_cursor: Option<String>,
}

async fn list(request: HttpRequest, handle: Data<Handle>) -> HandlerResult {
    let (limit, before) = query::page(&request)?;
    let page = handle.batches(limit, before).await?;
    let next_cursor = page.next.map(|id| id.to_string());
    Ok(ok(&Page { batches: page.batches, next_cursor }))
}

async fn status(request: HttpRequest, handle: Data<Handle>) -> HandlerResult {
    let id: BatchId = query::id(&request)?;
    let batch = match prefer::wait(&request)?.span() {
        Some(span) => handle.wait_batch(id, span).await?,
        None => handle.batch(id).await?,
    };
    Ok(ok(&batch))
}

async fn cancel_batch(request: HttpRequest, _: NoQuery, handle: Data<Handle>) -> HandlerResult {
    Ok(ok(&handle.cancel_batch(query::id(&request)?).await?))
}
