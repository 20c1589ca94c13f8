//! `chat` jobs with a scripted model server.

mod answers;

use std::time::Duration;

use longshore::config::{Config, ProviderConfig};
use longshore::executor::{Registry, RegistryError};
use longshore::job::outcome::Outcome;
use serde_json::{Value, json};

use crate::harness::*;
use crate::kit::http::{json_response, response};
use crate::server::*;

/// An environment variable that is set wherever tests run, with a value long enough to be a secret.
const KEY_ENV: &str = "PATH";

/// The shortest answer that completes a job.
const ANSWER: &str = r#"{"choices": [{}]}"#;

fn key() -> String {
    std::env::var(KEY_ENV).unwrap()
}

fn provider(url: &str) -> ProviderConfig {
    ProviderConfig {
        api_key_env: Some(KEY_ENV.into()),
        ..ProviderConfig::new(format!("{url}/v1/"))
    }
}

fn config(provider: ProviderConfig) -> Config {
    Config { providers: [("model".to_owned(), provider)].into(), ..Config::default() }
}

fn registry_for(url: &str) -> Registry {
    registry_of(&config(provider(url)))
}

fn question() -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": "Tell me a joke"}]})
}

async fn outcome_of(response: Vec<u8>) -> Outcome {
    let (url, _seen) = start_server(response);
    run(&registry_for(&url), "chat", question()).await
}

#[actix_web::test]
async fn the_payload_is_sent_with_the_key_and_the_response_is_the_result() {
    let (url, mut seen) = start_server(json_response(r#"{"choices": [1.50]}"#));
    let mut payload = question();
    payload["provider"] = "model".into();
    payload["temperature"] = json!(0.10);
    let result = job_result(run(&registry_for(&url), "chat", payload).await);
    assert_eq!(result.json.as_str(), r#"{"choices": [1.50]}"#);
    let (_, request) = soon(seen.recv()).await.unwrap();
    assert_eq!(request.line(), "POST /v1/chat/completions HTTP/1.1");
    assert_eq!(request.header("authorization"), Some(&*format!("Bearer {}", key())));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("longshore-job"), Some("7"));
    assert_eq!(request.header("longshore-attempt"), Some("2"));
    assert!(request.header("idempotency-key").unwrap().starts_with("longshore-7-"));
    let mut sent = question();
    sent["temperature"] = json!(0.10);
    assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), sent);
}

#[actix_web::test]
async fn without_a_key_no_authorization_is_sent() {
    let (url, mut seen) = start_server(json_response(ANSWER));
    let keyless = ProviderConfig { api_key_env: None, ..provider(&url) };
    completed(run(&registry_of(&config(keyless)), "chat", question()).await);
    assert_eq!(soon(seen.recv()).await.unwrap().1.header("authorization"), None);
}

#[actix_web::test]
async fn a_busy_provider_that_says_when_to_call_again_defers_the_job() {
    let headers = "retry-after-ms: 1500\r\nretry-after: 9\r\n";
    let (error, pause) = deferred(outcome_of(response("429 X", headers, "")).await);
    assert_eq!((error.code.as_str(), pause), ("http_status", Duration::from_millis(1_500)));
    let down = outcome_of(response("503 X", "retry-after: 9\r\n", "")).await;
    assert_eq!(deferred(down).1, Duration::from_secs(9));
    // Without a valid time, and with other statuses, it is a failure of the attempt.
    for (status, headers) in
        [("429 X", ""), ("503 X", "retry-after: soon\r\n"), ("500 X", "retry-after: 9\r\n")]
    {
        let failed = outcome_of(response(status, headers, "")).await;
        assert_eq!(retryable(failed).code, "http_status", "{status}");
    }
    assert_eq!(fatal(outcome_of(response("400 X", "", "")).await).code, "http_status");
}

#[actix_web::test]
async fn a_long_response_is_truncated_and_flagged() {
    let (url, _seen) = start_server(json_response(&format!("[\"{}\"]", "a".repeat(500))));
    let mut config = config(provider(&url));
    config.limits.max_result_bytes = 100;
    let result = job_result(run(&registry_of(&config), "chat", question()).await);
    assert!(result.truncated && result.json.as_str().len() <= 100);
    assert!(result.json.as_str().starts_with(r#""[\"aaa"#), "{:?}", result.json);
}

#[actix_web::test]
async fn the_key_is_in_no_message() {
    let body = format!("Incorrect API key provided: {}.", key());
    let error = fatal(outcome_of(response("401 Unauthorized", "", body)).await);
    assert!(error.message.contains("Incorrect API key provided: (secret)"), "{}", error.message);
    assert!(!error.message.contains(&key()), "{}", error.message);
}

#[actix_web::test]
async fn payload_problems_are_reported_at_submission() {
    let one = registry_for("http://127.0.0.1:1");
    let message = json!([{"role": "user", "content": "x"}]);
    let payloads = [
        (json!([]), vec![""]),
        (json!({}), vec!["/messages"]),
        (json!({"messages": []}), vec!["/messages"]),
        (json!({"messages": "x"}), vec!["/messages"]),
        (json!({"messages": message, "stream": true}), vec!["/stream"]),
        (json!({"messages": message, "stream": false}), vec![]),
        (json!({"messages": message, "provider": 1}), vec!["/provider"]),
        (json!({"messages": message, "provider": "other"}), vec!["/provider"]),
    ];
    for (payload, expected) in payloads {
        assert_eq!(problem_pointers(&one, "chat", &payload), expected, "{payload}");
    }
    assert_eq!(problem_pointers(&registry(), "chat", &question()), ["/provider"]);
    let mut two = config(provider("http://127.0.0.1:1"));
    two.providers.insert("second".into(), provider("http://127.0.0.1:2"));
    let two = registry_of(&two);
    let payload = longshore::job::Json::of(&question()).unwrap();
    let problems = two.check("chat", &payload).unwrap_err();
    assert_eq!(problems[0].detail, "is required; configured providers: model, second");
    assert_eq!(fatal(run(&two, "chat", question()).await).code, "bad_payload");
}

#[test]
fn an_invalid_provider_is_reported_at_the_start() {
    for base_url in ["http://", "http://host:0/v1", "gopher://x"] {
        let invalid = ProviderConfig { base_url: base_url.into(), ..provider("") };
        let error = Registry::new(&config(invalid)).err().unwrap();
        assert!(matches!(error, RegistryError::Provider(_)), "{error}");
        assert!(error.to_string().contains("provider model"), "{error}");
    }
    let unset = ProviderConfig {
        api_key_env: Some("LONGSHORE_TEST_NOT_SET".into()),
        ..provider("http://127.0.0.1:1")
    };
    assert!(Registry::new(&config(unset)).is_err());
}
