//! `/v1/keys`: list the API keys, create one, revoke one.

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::{Payload, ReqData};
use actix_web::{HttpRequest, HttpResponse};

use crate::api::keys::{CreatedKey, KeyList, KeyRequest};
use crate::http::request::body;
use crate::http::request::query::{self, NoQuery};
use crate::http::response::{HandlerResult, json, ok};
use crate::server::Handle;

pub(in crate::http) async fn list(_: NoQuery, handle: ReqData<Handle>) -> HandlerResult {
    Ok(ok(&KeyList { keys: handle.keys().await? }))
}

pub(in crate::http) async fn create(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let wanted: KeyRequest = body::json(&request, payload, &handle).await?;
    let created = handle.create_key(wanted.new_key(handle.now())).await?;
    let mut response = HttpResponse::Created();
    response
        .insert_header((LOCATION, format!("/v1/keys/{}", created.key.id)))
        .insert_header((CACHE_CONTROL, "no-store"));
    let secret = created.secret.reveal().to_owned();
    Ok(json(&mut response, &CreatedKey { key: created.key, secret }))
}

pub(in crate::http) async fn revoke(
    request: HttpRequest,
    _: NoQuery,
    handle: ReqData<Handle>,
) -> HandlerResult {
    Ok(ok(&handle.revoke_key(query::id(&request)?).await?))
}
