//! `/v1/queues`: list queues, get one, change its limits.

use actix_web::HttpRequest;
use actix_web::web::{Payload, ReqData};

use crate::api::problem::ProblemType;
use crate::api::queues::QueueList;
use crate::http::problem::Rejection;
use crate::http::request::body;
use crate::http::request::query::NoQuery;
use crate::http::response::{HandlerResult, ok};
use crate::job::QueueName;
use crate::job::queue::QueueChange;
use crate::server::Handle;

pub(super) async fn list(_: NoQuery, handle: ReqData<Handle>) -> HandlerResult {
    Ok(ok(&QueueList { queues: handle.queues().await? }))
}

pub(super) async fn status(
    request: HttpRequest,
    _: NoQuery,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let name = name(&request)?;
    match handle.queue(name.clone()).await? {
        Some(queue) => Ok(ok(&queue)),
        None => {
            let detail =
                format!("there is no queue {name}: it is created by its first job or by a PATCH");
            Err(Rejection::new(ProblemType::NotFound, detail))
        }
    }
}

pub(super) async fn change(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let name = name(&request)?;
    let change: QueueChange = body::json(&request, payload, &handle).await?;
    Ok(ok(&handle.configure(name, change).await?))
}

fn name(request: &HttpRequest) -> Result<QueueName, Rejection> {
    let text = request.match_info().get("name").unwrap_or_default();
    text.parse().map_err(|error| Rejection::bad_parameter("name", error))
}
