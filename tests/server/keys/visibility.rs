//! Two applications share a server by patterns of queue names: each sees and changes only what is its own.

mod changes;
mod events;
mod leases;
mod lists;
mod submissions;

use serde_json::{Value, json};

use super::{Key, bearer, call, create, first_key};
use crate::kit::leases::remote;
use crate::kit::{Response, Server, with};

/// An application with its keys: one for its processes, one for its operators.
struct Application {
    key: Key,
    admin: Key,
    /// One of its queues.
    queue: String,
}

impl Application {
    fn create(server: &Server, ops: &Key, name: &str) -> Self {
        let pattern = format!("{name}.*");
        let scopes = json!(["submit", "read", "work"]);
        let key = json!({"name": name, "scopes": scopes, "queues": [pattern]});
        let admin =
            json!({"name": format!("{name} admin"), "scopes": ["admin"], "queues": [pattern]});
        let (key, admin) = (create(server, ops, &key), create(server, ops, &admin));
        Self { key, admin, queue: format!("{name}.a") }
    }

    /// Returns a job of the application for a remote worker.
    fn job(&self, payload: impl Into<Value>) -> Value {
        with(remote(payload), &json!({"queue": self.queue, "tags": [self.queue]}))
    }
}

/// A server that two applications share.
struct Shared {
    server: Server,
    ops: Key,
    shop: Application,
    blog: Application,
}

impl Shared {
    fn start() -> Self {
        Self::on(Server::start())
    }

    fn on(server: Server) -> Self {
        let ops = first_key(&server);
        let shop = Application::create(&server, &ops, "shop");
        let blog = Application::create(&server, &ops, "blog");
        Self { server, ops, shop, blog }
    }

    fn get(&self, key: &Key, path: &str) -> Response {
        call(&self.server, key, "GET", path, None)
    }

    fn post(&self, key: &Key, path: &str, body: &Value) -> Response {
        call(&self.server, key, "POST", path, Some(body))
    }

    /// Sends a request with an idempotency key.
    fn post_once(&self, key: &Key, path: &str, name: &str, body: &Value) -> Response {
        let authorization = bearer(key);
        let headers = [("authorization", &*authorization), ("idempotency-key", name)];
        self.server.post_with(path, &headers, body)
    }

    /// Submits a job of an application and returns its id.
    fn submit(&self, application: &Application, payload: impl Into<Value>) -> i64 {
        let job = application.job(payload);
        self.post(&application.key, "/v1/jobs", &job).expect(202)["id"].as_i64().unwrap()
    }

    /// Submits a batch of two jobs of an application and returns its id.
    fn submit_batch(&self, application: &Application) -> i64 {
        let batch =
            json!({"name": application.queue, "jobs": [application.job(1), application.job(2)]});
        self.post(&application.key, "/v1/batches", &batch).expect(202)["id"].as_i64().unwrap()
    }

    /// Submits a batch with one job of each application and returns its id.
    fn submit_mixed_batch(&self) -> i64 {
        let batch = json!({"name": "mixed", "jobs": [self.shop.job(1), self.blog.job(1)]});
        self.post(&self.ops, "/v1/batches", &batch).expect(202)["id"].as_i64().unwrap()
    }

    /// Returns all jobs as an administrator sees them.
    fn jobs(&self) -> Value {
        self.get(&self.ops, "/v1/jobs?limit=200&include=payload,result").expect(200)["jobs"].clone()
    }
}

/// Returns the ids in a list.
fn ids(list: &Value) -> Vec<i64> {
    list.as_array().unwrap().iter().map(|entry| entry["id"].as_i64().unwrap()).collect()
}
