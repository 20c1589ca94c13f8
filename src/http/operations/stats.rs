//! `/v1/stats`: current counts and the counters of the last hour.

use actix_web::HttpRequest;
use actix_web::web::ReqData;

use crate::http::request::query::Parameters;
use crate::http::response::{HandlerResult, ok};
use crate::job::queue::InvalidName;
use crate::server::Handle;

pub(in crate::http) async fn stats(request: HttpRequest, handle: ReqData<Handle>) -> HandlerResult {
    let mut query = Parameters::read(&request, &["queue"])?;
    let queue = query.parse("queue", InvalidName);
    query.checked()?;
    Ok(ok(&handle.stats(queue).await?))
}
