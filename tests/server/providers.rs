//! Providers: their limits hold before a job starts, and a refusal of a provider is its state.

mod credentials;
mod http_jobs;
mod limits;
mod model_server;
mod refusals;
mod waiting;

use serde_json::{Value, json};

use crate::kit::{Server, Setup, with};
use model_server::ModelServer;

fn chat(question: &str) -> Value {
    let messages = json!([{"role": "user", "content": question}]);
    json!({"kind": "chat", "payload": {"model": "m", "messages": messages}})
}

fn in_queue(job: Value, queue: &str) -> Value {
    with(job, &json!({"queue": queue}))
}

/// Starts a server with the provider `one`, whose further settings are given in TOML, with other settings
/// before it.
fn start(model: &ModelServer, before: &str, settings: &str) -> Server {
    Setup::new().config(format!("{before}\n{}{settings}\n", model.provider("one"))).start()
}

/// Submits this number of jobs, and returns the id of the first.
fn submit_many(server: &Server, job: &Value, count: usize) -> i64 {
    let jobs = vec![job.clone(); count];
    let answer = server.post("/v1/jobs", &json!(jobs)).expect(202);
    answer["jobs"][0]["id"].as_i64().unwrap_or_else(|| panic!("{answer}"))
}

/// Returns the provider `one`.
fn provider(server: &Server) -> Value {
    server.get("/v1/providers/one").expect(200)
}
