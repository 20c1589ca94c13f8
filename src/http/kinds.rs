//! `/v1/kinds`.

use actix_web::Resource;
use actix_web::web::{self, Data};
use serde::Serialize;

use crate::http::answer::{Answered, ok, resource};
use crate::http::query::NoQuery;
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

async fn list(_: NoQuery, handle: Data<Handle>) -> Answered {
    let kinds = handle.lanes_of_kinds().into_iter().map(|(kind, lane)| Kind { kind, lane });
    Ok(ok(&Kinds { kinds: kinds.collect() }))
}
