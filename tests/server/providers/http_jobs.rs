//! `http` jobs that call a provider: its key, its limits and its pauses.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::model_server::{ModelServer, Reply};
use super::{chat, provider, start};
use crate::kit::http::{Request, Target, gate, json_response};
use crate::kit::{Server, Setup, echo, eventually, pointers, with};

/// Returns an `http` job that calls a path of the provider `one`.
fn call(path: &str) -> Value {
    json!({"kind": "http", "payload": {"provider": "one", "path": path, "body": "?"}})
}

/// Starts a server that answers every request with a completion, and records the requests.
fn recorder() -> (Target, Arc<Mutex<Vec<Request>>>) {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let target = Target::start(move |caller, request| {
        seen.lock().unwrap().push(request);
        caller.send(json_response(r#"{"choices": [{}]}"#));
    });
    (target, requests)
}

fn final_state(server: &Server, job: &Value) -> Value {
    server.run(job)["state"].clone()
}

#[test]
fn both_kinds_of_jobs_send_the_key_and_the_version_that_azure_needs() {
    let (target, requests) = recorder();
    let config = format!(
        "[providers.azure]\nbase_url = '{}'\nauth = {{ header = 'api-key', value_env = 'AZURE_KEY' }}\n\
         query = {{ api-version = '2024-06-01' }}\nheaders = {{ X-Team = 'jobs' }}\n",
        target.url("/openai/deployments/small")
    );
    let variable = "LONGSHORE_PROVIDERS__AZURE__QUERY__Trace";
    let server =
        Setup::new().config(config).env("AZURE_KEY", "k-azure-1").env(variable, "1").start();
    let payload =
        json!({"provider": "azure", "path": "/embeddings?user=a", "body": {"input": "x"}});
    assert_eq!(final_state(&server, &chat("?")), "completed");
    assert_eq!(final_state(&server, &json!({"kind": "http", "payload": payload})), "completed");
    let requests = requests.lock().unwrap().clone();
    let lines: Vec<String> = requests.iter().map(Request::line).collect();
    let base = "POST /openai/deployments/small";
    assert_eq!(
        lines,
        [
            format!("{base}/chat/completions?Trace=1&api-version=2024-06-01 HTTP/1.1"),
            format!("{base}/embeddings?user=a&Trace=1&api-version=2024-06-01 HTTP/1.1"),
        ]
    );
    for request in &requests {
        assert_eq!(request.header("api-key"), Some("k-azure-1"));
        assert_eq!(request.header("x-team"), Some("jobs"));
        assert_eq!(request.header("authorization"), None);
    }
    assert!(!server.log().contains("k-azure"), "{}", server.log());
    let stored = server.get("/v1/jobs?include=payload,result").body;
    assert!(!String::from_utf8_lossy(&stored).contains("k-azure"));
}

#[test]
fn an_http_job_waits_for_the_limit_of_its_provider() {
    let (_go, gate) = gate();
    let gate = Arc::new(gate);
    let model = ModelServer::start(move |_| Reply::Wait(Arc::clone(&gate)));
    let server = start(&model, "", "max_running = 1");
    let first = server.submit(&call("/a"));
    server.wait_for_state(first, "running");
    for job in [call("/b"), chat("?")] {
        let id = server.submit(&job);
        let job = eventually("the job waits for its provider", || {
            Some(server.job(id)).filter(|job| job["waiting_for"] == "provider")
        });
        assert_eq!(job["state"], "queued", "{job}");
    }
    let shown = provider(&server);
    assert_eq!((&shown["running"], &shown["queued"]), (&json!(1), &json!(2)), "{shown}");
    // A call of the same server by its URL is not one of the provider.
    let by_url = json!({"kind": "http", "payload": {"url": model.url("/v1/a")}});
    let id = server.submit(&by_url);
    server.wait_for_state(id, "running");
    assert_eq!(provider(&server)["running"], 1);
}

#[test]
fn a_refusal_of_an_http_job_pauses_the_calls_of_both_kinds() {
    for busy in [call("/a"), chat("busy")] {
        let model = ModelServer::start(|number| match number {
            1 => Reply::Refuse("429 Too Many Requests", "retry-after: 60\r\n"),
            _ => Reply::Answer(Duration::ZERO),
        });
        let server = start(&model, "", "");
        server.submit(&busy);
        let shown = eventually("the provider is paused", || {
            Some(provider(&server)).filter(|shown| shown["state"] == "paused")
        });
        assert_eq!((&shown["refused"], &shown["queued"]), (&json!(1), &json!(1)), "{shown}");
        for job in [call("/b"), chat("?")] {
            let id = server.submit(&job);
            let job = eventually("the job waits for its provider", || {
                Some(server.job(id)).filter(|job| job["waiting_for"] == "provider")
            });
            assert_eq!(job["waiting_until"], shown["paused_until"], "{job}");
        }
        assert_eq!(model.calls(), 1);
    }
}

#[test]
fn a_refused_http_job_completes_after_the_pause_in_its_first_attempt() {
    let model = ModelServer::start(|number| match number {
        1..=2 => Reply::Refuse("503 Service Unavailable", "retry-after-ms: 100\r\n"),
        _ => Reply::Answer(Duration::ZERO),
    });
    let server = start(&model, "", "");
    let job = server.run(&call("/a"));
    assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(1)), "{job}");
    assert_eq!((&job["result"]["status"], model.calls()), (&json!(200), 3));
}

#[test]
fn a_path_that_leaves_the_base_url_is_refused_and_nothing_is_sent() {
    let model = ModelServer::start(|_| Reply::Answer(Duration::ZERO));
    let server = start(&model, "", "");
    for path in [
        "",
        "a",
        "//evil.example/",
        "http://evil.example/",
        "@evil.example/",
        "/../admin",
        "/a/../../admin",
        "/%2e%2e/admin",
        "/..%2fadmin",
        "/..;/admin",
        "/%252e%252e/admin",
        "/..\\admin",
        "/..%5cadmin",
        "/a\r\nhost: evil.example",
        "/a#b",
        "/%c0%ae%c0%ae/admin",
    ] {
        let refused = server.post("/v1/jobs", &call(path));
        refused.problem(422);
        assert_eq!(pointers(&refused), ["/payload/path"], "{path:?}");
    }
    let unknown = with(call("/a"), &json!({"payload": {"provider": "two", "path": "/a"}}));
    let refused = server.post("/v1/jobs", &unknown);
    assert!(refused.problem(422).contains("configured providers: one"), "{:?}", refused.json());
    assert_eq!(pointers(&refused), ["/payload/provider"]);
    assert_eq!(model.calls(), 0);
}

#[test]
fn an_http_job_whose_provider_is_no_longer_configured_waits() {
    let model = ModelServer::start(|_| Reply::Answer(Duration::ZERO));
    let mut old = start(&model, "", "");
    old.patch("/v1/queues/default", &json!({"paused": true})).expect(200);
    let id = old.submit(&call("/a"));
    old.kill();
    let new = Setup::new().config(model.provider("two")).database(old.database()).start();
    new.patch("/v1/queues/default", &json!({"paused": false})).expect(200);
    new.run(&echo(1));
    let job = new.job(id);
    assert_eq!((&job["state"], &job["waiting_for"]), (&json!("queued"), &json!("provider")));
    assert_eq!(job["waiting_detail"], "provider one is not configured any more");
    assert_eq!(model.calls(), 0);
}
