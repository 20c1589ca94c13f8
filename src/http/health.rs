//! `/healthz` and `/readyz`: for who watches over the process and who sends it requests.

use actix_web::web::{self, Data};
use actix_web::{HttpResponse, Resource};
use serde_json::json;

use crate::http::answer::{Answered, ok, resource};
use crate::http::query::NoQuery;
use crate::server::Handle;

pub(super) fn healthz() -> Resource {
    resource("/healthz", "GET, HEAD").route(web::get().to(alive)).route(web::head().to(alive))
}

pub(super) fn readyz() -> Resource {
    resource("/readyz", "GET, HEAD").route(web::get().to(ready)).route(web::head().to(ready))
}

/// The process lives.
async fn alive(_: NoQuery) -> Answered {
    Ok(ok(&json!({"status": "ok"})))
}

/// The server leases jobs. While it drains it does not, and requests had better go elsewhere.
async fn ready(_: NoQuery, handle: Data<Handle>) -> HttpResponse {
    if handle.is_ready() {
        HttpResponse::Ok().json(json!({"status": "ready"}))
    } else {
        let retry = ("retry-after", "1");
        HttpResponse::ServiceUnavailable().insert_header(retry).json(json!({"status": "draining"}))
    }
}
