//! What a remote worker says to the server.

use serde_json::{Value, json};

use crate::kit::{Response, Server, echo, with};

/// A job for remote workers, with time for all that is done to it.
pub(crate) fn remote(payload: impl Into<Value>) -> Value {
    with(echo(payload), &json!({"kind": "resize", "lane": "remote", "timeout": "12h"}))
}

/// Leases up to `limit` jobs, with more fields of the call.
pub(crate) fn lease(server: &Server, limit: u32, fields: &Value) -> Vec<Value> {
    let call = with(json!({"limit": limit}), fields);
    server.post("/v1/leases", &call).expect(200)["jobs"].as_array().unwrap().clone()
}

/// Leases one job, and waits for it.
pub(crate) fn lease_one(server: &Server, fields: &Value) -> Value {
    let fields = with(json!({"wait": "30s"}), fields);
    let mut leased = lease(server, 1, &fields);
    leased.pop().unwrap_or_else(|| panic!("no job came for {fields}"))
}

/// Does a thing to a lease.
pub(crate) fn lease_action(
    server: &Server,
    leased: &Value,
    verb: &str,
    fields: &Value,
) -> Response {
    let body = with(json!({"lease_token": leased["lease_token"]}), fields);
    server.post(&format!("/v1/leases/{}/{verb}", leased["id"]), &body)
}

/// Completes a job with a result.
pub(crate) fn complete(server: &Server, leased: &Value, result: impl Into<Value>) -> Response {
    lease_action(server, leased, "complete", &json!({"result": result.into()}))
}
