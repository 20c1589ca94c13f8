//! `/v1/pruning`: whether old final jobs are deleted, and the confirmation that they may be.

use actix_web::web::ReqData;

use crate::http::request::query::NoQuery;
use crate::http::response::{HandlerResult, ok};
use crate::server::Handle;

pub(in crate::http) async fn status(_: NoQuery, handle: ReqData<Handle>) -> HandlerResult {
    Ok(ok(&handle.pruning()?))
}

pub(in crate::http) async fn confirm(_: NoQuery, handle: ReqData<Handle>) -> HandlerResult {
    Ok(ok(&handle.confirm_pruning()?))
}
