//! `/v1/jobs/{id}/deliveries` and `/v1/batches/{id}/deliveries`: list the deliveries of a webhook, and send
//! one again.

use actix_web::HttpRequest;
use actix_web::web::ReqData;

use crate::api::webhooks::deliveries::DeliveryList;
use crate::http::request::query::{self, NoQuery};
use crate::http::response::{HandlerResult, ok};
use crate::job::submission::on_end::Owner;
use crate::server::Handle;

pub(super) async fn of_job(
    request: HttpRequest,
    _: NoQuery,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let deliveries = handle.deliveries_of_job(query::id(&request)?).await?;
    Ok(ok(&DeliveryList { deliveries }))
}

pub(super) async fn of_batch(
    request: HttpRequest,
    _: NoQuery,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let deliveries = handle.deliveries_of_batch(query::id(&request)?).await?;
    Ok(ok(&DeliveryList { deliveries }))
}

pub(super) async fn retry_of_job(
    request: HttpRequest,
    _: NoQuery,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let owner = Owner::Job(query::id(&request)?);
    retry(&request, owner, &handle).await
}

pub(super) async fn retry_of_batch(
    request: HttpRequest,
    _: NoQuery,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let owner = Owner::Batch(query::id(&request)?);
    retry(&request, owner, &handle).await
}

async fn retry(request: &HttpRequest, owner: Owner, handle: &Handle) -> HandlerResult {
    let delivery = query::id_named(request, "delivery")?;
    Ok(ok(&handle.retry_delivery(owner, delivery).await?))
}
