//! `/v1/queues`: list queues, get one, change its limits.

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, Resource};
use serde::Serialize;

use crate::http::problem::Rejection;
use crate::http::request::body;
use crate::http::request::query::NoQuery;
use crate::http::response::{HandlerResult, ok, resource};
use crate::job::QueueName;
use crate::job::queue::{Queue, QueueChange};
use crate::server::Handle;

pub(super) fn all() -> Resource {
    resource("/v1/queues", "GET").route(web::get().to(list))
}

pub(super) fn one() -> Resource {
    resource("/v1/queues/{name}", "GET, PATCH")
        .route(web::get().to(status))
        .route(web::patch().to(change))
}

#[derive(Serialize)]
struct Queues {
    queues: Vec<Queue>,
}

async fn list(_: NoQuery, handle: Data<Handle>) -> HandlerResult {
    Ok(ok(&Queues { queues: handle.queues().await? }))
}

async fn status(request: HttpRequest, _: NoQuery, handle: Data<Handle>) -> HandlerResult {
    let name = name(&request)?;
    match handle.queue(name.clone()).await? {
        Some(queue) => Ok(ok(&queue)),
        None => {
            let detail =
                format!("there is no queue {name}: it is created by its first job or by a PATCH");
            Err(Rejection::new(StatusCode::NOT_FOUND, "not-found", detail))
        }
    }
}

async fn change(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: Data<Handle>,
) -> HandlerResult {
    let name = name(&request)?;
    let change: QueueChange = body::json(&request, payload, &handle).await?;
    Ok(ok(&handle.configure(name, change).await?))
}

fn name(request: &HttpRequest) -> Result<QueueName, Rejection> {
    let text = request.match_info().get("name").unwrap_or_default();
    text.parse().map_err(|error| Rejection::bad_parameter("name", error))
}
