//! `/v1/providers`: list providers, get one.

use actix_web::HttpRequest;
use actix_web::web::ReqData;

use crate::api::problem::ProblemType;
use crate::api::providers::Providers;
use crate::http::problem::Rejection;
use crate::http::request::query::NoQuery;
use crate::http::response::{HandlerResult, ok};
use crate::job::problem::Quoted;
use crate::server::Handle;

pub(in crate::http) async fn list(_: NoQuery, handle: ReqData<Handle>) -> HandlerResult {
    Ok(ok(&Providers { providers: handle.providers().await? }))
}

pub(in crate::http) async fn status(
    request: HttpRequest,
    _: NoQuery,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let name = request.match_info().get("name").unwrap_or_default();
    let providers = handle.providers().await?;
    match providers.iter().find(|provider| provider.name.as_str() == name) {
        Some(provider) => Ok(ok(provider)),
        None => {
            let detail = format!("there is no provider {}: see GET /v1/providers", Quoted(name));
            Err(Rejection::new(ProblemType::NotFound, detail))
        }
    }
}
