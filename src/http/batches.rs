//! `/v1/batches`: submit, list, get and cancel batches.

use crate::api::batches::{BatchPage, NewBatch};
use crate::http::request::body;
use crate::http::request::idempotency_key;
use crate::http::request::prefer;
use crate::http::request::query::{self, NoQuery};
use crate::http::response::{HandlerResult, accepted, ok};
use crate::job::{BatchId, Submission};
use crate::server::{Handle, fingerprint};
use actix_web::HttpRequest;
use actix_web::web::{Data, Payload};

pub(super) async fn submit(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: Data<Handle>,
) -> HandlerResult {
    body::require_json(&request)?;
    let body = body::read(&request, payload, &handle).await?;
    let key = idempotency_key::from_request(&request, &body)?;
    let NewBatch::<Vec<Submission>> { name, jobs } = body::parse(&body)?;
    let of_batch = |path: &str| fingerprint::of_batch(path, name.as_deref(), &jobs);
    let key = key.map(|key| key.of(of_batch));
    let batch = handle.submit_batch(name, jobs, key).await?.value;
    Ok(accepted(Some(format!("/v1/batches/{}", batch.id)), &batch))
}

pub(super) async fn list(request: HttpRequest, handle: Data<Handle>) -> HandlerResult {
    let (limit, before) = query::page(&request)?;
    let page = handle.batches(limit, before).await?;
    let next_cursor = page.next.map(|id| id.to_string());
    Ok(ok(&BatchPage { batches: page.batches, next_cursor }))
}

pub(super) async fn status(request: HttpRequest, handle: Data<Handle>) -> HandlerResult {
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
    handle: Data<Handle>,
) -> HandlerResult {
    Ok(ok(&handle.cancel_batch(query::id(&request)?).await?))
}
