//! `/healthz` and `/readyz`: probes for supervisors and load balancers.

use actix_web::web::{self, Data};
use actix_web::{HttpResponse, Resource};
use serde_json::json;

use crate::http::request::query::NoQuery;
use crate::http::response::{HandlerResult, ok, resource};
use crate::server::Handle;

pub(super) fn healthz() -> Resource {
    resource("/healthz", "GET, HEAD").route(web::get().to(alive)).route(web::head().to(alive))
}

pub(super) fn readyz() -> Resource {
    resource("/readyz", "GET, HEAD").route(web::get().to(ready)).route(web::head().to(ready))
}

/// Answers 200 as long as the process serves requests.
async fn alive(_: NoQuery) -> HandlerResult {
    Ok(ok(&json!({"status": "ok"})))
}

/// Answers 200 while the server leases jobs, and 503 while it drains.
async fn ready(_: NoQuery, handle: Data<Handle>) -> HttpResponse {
    if handle.is_ready() {
        HttpResponse::Ok().json(json!({"status": "ready"}))
    } else {
        let retry = ("retry-after", "1");
        HttpResponse::ServiceUnavailable().insert_header(retry).json(json!({"status": "draining"}))
    }
}
