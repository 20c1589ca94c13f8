//! Requests of a remote worker to the server.

use serde_json::{Value, json};

use crate::kit::{Response, Server, echo, with};

/// Returns a job for remote workers, with a timeout that is longer than any test.
pub(crate) fn remote(payload: impl Into<Value>) -> Value {
    with(echo(payload), &json!({"kind": "resize", "lane": "remote", "timeout": "12h"}))
}

/// Leases up to `limit` jobs. `fields` are further fields of the request.
pub(crate) fn lease(server: &Server, limit: u32, fields: &Value) -> Vec<Value> {
    let call = with(json!({"limit": limit}), fields);
    server.post("/v1/leases", &call).expect(200)["jobs"].as_array().unwrap().clone()
}

/// Waits for one job and leases it.
pub(crate) fn lease_one(server: &Server, fields: &Value) -> Value {
    let fields = with(json!({"wait": "30s"}), fields);
    let mut leased = lease(server, 1, &fields);
    leased.pop().unwrap_or_else(|| panic!("no job was leased for {fields}"))
}

/// Sends an action on a lease, such as `renew` or `release`.
pub(crate) fn lease_action(
    server: &Server,
    leased: &Value,
    action: &str,
    fields: &Value,
) -> Response {
    let body = with(json!({"lease_token": leased["lease_token"]}), fields);
    server.post(&format!("/v1/leases/{}/{action}", leased["id"]), &body)
}

/// Completes a job with a result.
pub(crate) fn complete(server: &Server, leased: &Value, result: impl Into<Value>) -> Response {
    lease_action(server, leased, "complete", &json!({"result": result.into()}))
}
