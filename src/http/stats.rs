//! `/v1/stats`: current counts and the counters of the last hour.

use actix_web::web::{self, Data};
use actix_web::{HttpRequest, Resource};

use crate::http::request::query::Parameters;
use crate::http::response::{HandlerResult, ok, resource};
use crate::job::queue::InvalidName;
use crate::server::Handle;

pub(super) fn all() -> Resource {
    resource("/v1/stats", "GET").route(web::get().to(stats))
}

async fn stats(request: HttpRequest, handle: Data<Handle>) -> HandlerResult {
    let mut query = Parameters::read(&request, &["queue"])?;
    let queue = query.parse("queue", InvalidName);
    query.checked()?;
    Ok(ok(&handle.stats(queue).await?))
}
