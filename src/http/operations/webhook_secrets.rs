//! `/v1/webhook-secrets`: list the webhook secrets, create one, rotate one, delete one.

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::{Payload, ReqData};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use crate::api::webhooks::secrets::{
    DEFAULT_OVERLAP, RevealedWebhookSecret, RotationRequest, WebhookSecretList,
    WebhookSecretRequest,
};
use crate::http::problem::Rejection;
use crate::http::request::body;
use crate::http::request::query::NoQuery;
use crate::http::response::{HandlerResult, json, ok};
use crate::job::WebhookSecretName;
use crate::server::{Handle, RevealedWebhookSecret as Revealed};

pub(in crate::http) async fn list(_: NoQuery, handle: ReqData<Handle>) -> HandlerResult {
    Ok(ok(&WebhookSecretList { webhook_secrets: handle.webhook_secrets() }))
}

pub(in crate::http) async fn create(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let wanted: WebhookSecretRequest = body::json(&request, payload, &handle).await?;
    let created = handle.create_webhook_secret(wanted.name, wanted.queues).await?;
    let mut response = HttpResponse::Created();
    response.insert_header((LOCATION, format!("/v1/webhook-secrets/{}", created.info.name)));
    Ok(reveal(&mut response, created))
}

pub(in crate::http) async fn rotate(
    request: HttpRequest,
    _: NoQuery,
    payload: Payload,
    handle: ReqData<Handle>,
) -> HandlerResult {
    let name = name(&request)?;
    let wanted: RotationRequest = body::json_or_none(&request, payload, &handle).await?;
    let overlap = wanted.overlap.unwrap_or(DEFAULT_OVERLAP);
    let rotated = handle.rotate_webhook_secret(name, overlap).await?;
    Ok(reveal(&mut HttpResponse::Ok(), rotated))
}

pub(in crate::http) async fn delete(
    request: HttpRequest,
    _: NoQuery,
    handle: ReqData<Handle>,
) -> HandlerResult {
    handle.delete_webhook_secret(name(&request)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Returns an answer with the value of a secret.
fn reveal(response: &mut HttpResponseBuilder, revealed: Revealed) -> HttpResponse {
    response.insert_header((CACHE_CONTROL, "no-store"));
    let Revealed { info, secret } = revealed;
    json(response, &RevealedWebhookSecret { info, secret: secret.reveal() })
}

fn name(request: &HttpRequest) -> Result<WebhookSecretName, Rejection> {
    let text = request.match_info().get("name").unwrap_or_default();
    text.parse().map_err(|error| Rejection::bad_parameter("name", error))
}
