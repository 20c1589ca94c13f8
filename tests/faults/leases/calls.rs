//! Requests of a remote worker in tests that take long.

use serde_json::{Value, json};

use crate::kit::leases::{self, lease, lease_action};
use crate::kit::{Response, Server, with};

/// Returns a job for remote workers, with a timeout that is longer than any test.
pub(crate) fn remote(payload: impl Into<Value>) -> Value {
    with(leases::remote(payload), &json!({"timeout": "12h"}))
}

/// Waits for one job and leases it.
pub(crate) fn lease_one(server: &Server, fields: &Value) -> Value {
    let fields = with(json!({"wait": "30s"}), fields);
    let mut leased = lease(server, 1, &fields);
    leased.pop().unwrap_or_else(|| panic!("no job was leased for {fields}"))
}

/// Completes a job with a result.
pub(crate) fn complete(server: &Server, leased: &Value, result: impl Into<Value>) -> Response {
    lease_action(server, leased, "complete", &json!({"result": result.into()}))
}
