//! `/v1/kinds`: the kinds of jobs that this server accepts.

use actix_web::web::ReqData;

use crate::api::kinds::{KindEntry, KindList};
use crate::http::request::query::NoQuery;
use crate::http::response::{HandlerResult, ok};
use crate::server::Handle;

pub(super) async fn list(_: NoQuery, handle: ReqData<Handle>) -> HandlerResult {
    let kinds = handle.kinds_with_lanes().into_iter().map(|(kind, lane)| KindEntry { kind, lane });
    Ok(ok(&KindList { kinds: kinds.collect() }))
}
