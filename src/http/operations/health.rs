//! `/healthz` and `/readyz`: probes for supervisors and load balancers.

use actix_web::HttpResponse;
use actix_web::web::ReqData;

use crate::api::health::{Health, HealthStatus};
use crate::http::request::query::NoQuery;
use crate::http::response::{HandlerResult, ok};
use crate::server::Handle;

/// Answers 200 as long as the process serves requests.
pub(in crate::http) async fn alive(_: NoQuery) -> HandlerResult {
    Ok(ok(&Health::from(HealthStatus::Ok)))
}

/// Answers 200 while the server leases jobs, and 503 while it drains or nothing can be written.
pub(in crate::http) async fn ready(_: NoQuery, handle: ReqData<Handle>) -> HttpResponse {
    let health = match handle.write_failure() {
        _ if !handle.is_ready() => Health::from(HealthStatus::Draining),
        Some(reason) => Health { status: HealthStatus::Unwritable, reason: Some(reason) },
        None => return HttpResponse::Ok().json(Health::from(HealthStatus::Ready)),
    };
    HttpResponse::ServiceUnavailable().insert_header(("retry-after", "1")).json(health)
}
