//! Requests of a remote worker to the server.

use serde_json::{Value, json};

use crate::kit::{Response, Server, echo, with};

/// Returns a job for remote workers.
pub(crate) fn remote(payload: impl Into<Value>) -> Value {
    with(echo(payload), &json!({"kind": "resize", "lane": "remote"}))
}

/// Leases at most `limit` jobs. `fields` are further fields of the request.
pub(crate) fn lease(server: &Server, limit: u32, fields: &Value) -> Vec<Value> {
    let call = with(json!({"limit": limit}), fields);
    server.post("/v1/leases", &call).expect(200)["jobs"].as_array().unwrap().clone()
}

/// Calls an action of a lease: `complete`, `fail`, `release` or `renew`.
pub(crate) fn lease_action(
    server: &Server,
    leased: &Value,
    action: &str,
    fields: &Value,
) -> Response {
    let body = with(json!({"lease_token": leased["lease_token"]}), fields);
    server.post(&format!("/v1/leases/{}/{action}", leased["id"]), &body)
}
