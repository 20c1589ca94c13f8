//! `/v1/jobs/{id}/token` and `/v1/batches/{id}/token`: tokens for reading one job or batch in a browser.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Payload, ReqData};
use actix_web::{HttpRequest, HttpResponse};

use crate::api::tokens::{TokenAnswer, TokenRequest};
use crate::http::request::body;
use crate::http::request::query::{self, NoQuery};
use crate::http::response::{HandlerResult, json};
use crate::server::{Handle, SignedToken};

pub(in crate::http) async fn for_job(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let id = query::id(&request)?;
    let wanted: TokenRequest = body::json_or_none(&request, payload, &handle).await?;
    Ok(answer(handle.job_token(id, wanted.expires_in).await?))
}

pub(in crate::http) async fn for_batch(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let id = query::id(&request)?;
    let wanted: TokenRequest = body::json_or_none(&request, payload, &handle).await?;
    Ok(answer(handle.batch_token(id, wanted.expires_in).await?))
}

fn answer(SignedToken { token, expires_at }: SignedToken) -> HttpResponse {
    let mut response = HttpResponse::Created();
    response.insert_header((CACHE_CONTROL, "no-store"));
    json(&mut response, &TokenAnswer { token, expires_at })
}
