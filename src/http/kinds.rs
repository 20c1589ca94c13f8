//! `/v1/kinds`: the kinds of jobs that this server accepts.

use actix_web::web::ReqData;

use crate::api::kinds::KindList;
use crate::http::request::query::NoQuery;
use crate::http::response::{HandlerResult, ok};
use crate::server::Handle;

pub(super) async fn list(_: NoQuery, handle: ReqData<Handle>) -> HandlerResult {
    Ok(ok(&KindList { kinds: handle.known_kinds() }))
}
