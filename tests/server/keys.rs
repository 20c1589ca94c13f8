//! API keys: what requests need, what a key may do, and how keys end.

mod authorization;
mod commands;
mod ends;
mod first_key;
mod limits;
mod matrix;
mod mounted;
mod python_worker;
pub(crate) mod secrets;
mod shared_server;
mod token_view;
mod tokens;
mod visibility;

use serde_json::{Value, json};

use crate::kit::{Response, Server};

/// A key that a test has created.
pub(crate) struct Key {
    pub(crate) id: i64,
    pub(crate) secret: String,
}

/// Creates the first key of a server, which may do everything.
pub(crate) fn first_key(server: &Server) -> Key {
    let response = server.post("/v1/keys", &json!({"name": "ops", "scopes": ["admin"]}));
    key(&response)
}

/// Creates a key with another one.
pub(crate) fn create(server: &Server, by: &Key, request: &Value) -> Key {
    key(&call(server, by, "POST", "/v1/keys", Some(request)))
}

/// Returns the key in an answer.
fn key(response: &Response) -> Key {
    let created = response.expect(201);
    assert_eq!(response.header("location"), Some(&*format!("/v1/keys/{}", created["id"])));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    Key {
        id: created["id"].as_i64().unwrap(),
        secret: created["secret"].as_str().unwrap().to_owned(),
    }
}

/// Returns a key that differs from this one in its last character.
pub(crate) fn damaged(key: &Key) -> Key {
    let last = if key.secret.ends_with('x') { 'y' } else { 'x' };
    Key { id: 0, secret: format!("{}{last}", &key.secret[..key.secret.len() - 1]) }
}

/// Returns the value of the header that carries a key.
pub(crate) fn bearer(key: &Key) -> String {
    format!("Bearer {}", key.secret)
}

/// Sends a request with a key.
pub(crate) fn call(
    server: &Server,
    key: &Key,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Response {
    let authorization = bearer(key);
    let mut headers = vec![("authorization", &*authorization)];
    if body.is_some() {
        headers.push(("content-type", "application/json"));
    }
    let body = body.map(Value::to_string).unwrap_or_default();
    server.request(method, path, &headers, body.as_bytes())
}
