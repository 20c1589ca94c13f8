//! `/v1/kinds`: the kinds of jobs that this server accepts.

use actix_web::Resource;
use actix_web::web::{self, Data};
use serde::Serialize;

use crate::http::request::query::NoQuery;
use crate::http::response::{HandlerResult, ok, resource};
use crate::job::Lane;
use crate::server::Handle;

pub(super) fn all() -> Resource {
    resource("/v1/kinds", "GET").route(web::get().to(list))
}

#[derive(Serialize)]
struct Kinds {
    kinds: Vec<Kind>,
}

#[derive(Serialize)]
struct Kind {
    kind: String,
    lane: Lane,
}

async fn list(_: NoQuery, handle: Data<Handle>) -> HandlerResult {
    let kinds = handle.kinds_with_lanes().into_iter().map(|(kind, lane)| Kind { kind, lane });
    Ok(ok(&Kinds { kinds: kinds.collect() }))
}
