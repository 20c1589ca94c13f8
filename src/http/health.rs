//! `/healthz` and `/readyz`: probes for supervisors and load balancers.

use actix_web::HttpResponse;
use actix_web::web::Data;

use crate::api::health::{Health, HealthStatus};
use crate::http::request::query::NoQuery;
use crate::http::response::{HandlerResult, ok};
use crate::server::Handle;

/// Answers 200 as long as the process serves requests.
pub(super) async fn alive(_: NoQuery) -> HandlerResult {
    Ok(ok(&Health { status: HealthStatus::Ok }))
}

/// Answers 200 while the server leases jobs, and 503 while it drains.
pub(super) async fn ready(_: NoQuery, handle: Data<Handle>) -> HttpResponse {
    if handle.is_ready() {
        HttpResponse::Ok().json(Health { status: HealthStatus::Ready })
    } else {
        let retry = ("retry-after", "1");
        let draining = Health { status: HealthStatus::Draining };
        HttpResponse::ServiceUnavailable().insert_header(retry).json(draining)
    }
}
