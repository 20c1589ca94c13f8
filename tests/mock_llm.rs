//! The mock model server over real sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use awc::error::{ConnectError, SendRequestError};
use awc::{Client, ClientResponse, Connector};
use futures_util::future::join_all;
use longshore::cli::mock_llm::{self, MockLlm, Options};
use serde_json::{Value, json};

const DELAY: Duration = Duration::from_millis(100);

/// Returns a client with any number of connections.
fn client() -> Client {
    let connector = Connector::new().limit(0).timeout(Duration::from_secs(10));
    Client::builder().connector(connector).timeout(Duration::from_secs(30)).finish()
}

async fn start() -> MockLlm {
    mock_llm::start(Options { delay: DELAY, ..Options::default() }).await.unwrap()
}

fn question(text: &str) -> Value {
    json!({"model": "mock", "messages": [{"role": "user", "content": text}]})
}

/// Returns a request with a `mock` field.
fn with_mock(mock: Value) -> Value {
    let mut body = question("Why?");
    body["mock"] = mock;
    body
}

/// Sends a request and returns the status and the body.
async fn ask(mock: &MockLlm, body: &Value) -> (u16, Value) {
    let url = format!("{}/chat/completions", mock.base_url());
    let mut response = client().post(url).send_json(body).await.unwrap();
    let body = response.json().await.unwrap_or(Value::Null);
    (response.status().as_u16(), body)
}

/// Returns the `Content-Length`.
fn length<S>(response: &ClientResponse<S>) -> usize {
    let length = response.headers().get("content-length");
    length.map_or(0, |length| length.to_str().unwrap().parse().unwrap())
}

/// Sends a question that requests a fault. Returns the status and the body, or a word for how the
/// connection failed.
async fn ask_for_fault(mock: &MockLlm, fault: &str) -> Result<(u16, Value), String> {
    let url = format!("{}/chat/completions", mock.base_url());
    let request = client().post(url).insert_header(("x-mock-fault", fault));
    match request.send_json(&question("Why?")).await {
        Ok(mut response) => match response.body().await {
            // awc reports a body as complete when the connection ends, so the length is compared.
            Ok(body) if body.len() < length(&response) => Err("cut".into()),
            Ok(body) => {
                let value = serde_json::from_slice(&body).unwrap_or(Value::Null);
                Ok((response.status().as_u16(), value))
            }
            Err(error) => Err(format!("body: {error:?}")),
        },
        // awc reports `Disconnected` if the connection ends before the head of a response.
        Err(SendRequestError::Connect(ConnectError::Disconnected)) => Err("hangup".into()),
        Err(error) => Err(format!("head: {error:?}")),
    }
}

#[actix_web::test]
async fn a_question_is_answered_after_the_delay() {
    let mock = start().await;
    let started = Instant::now();
    let (status, body) = ask(&mock, &question("What's the capital of France?")).await;
    assert!(started.elapsed() >= DELAY);
    assert_eq!(status, 200);
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["choices"][0]["message"]["content"], "The capital of France is Paris.");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    mock.stop().await;
}

#[actix_web::test]
async fn concurrent_calls_are_counted_with_the_time_at_each_number() {
    let mock = start().await;
    let started = Instant::now();
    let body = question("Why?");
    join_all((0..50).map(|_| ask(&mock, &body))).await;
    assert!(started.elapsed() < DELAY * 10, "the calls ran one after another");
    let stats = mock.stats();
    assert_eq!((stats.requests, stats.running, stats.peak_running), (50, 0, 50));
    assert_eq!(stats.by_status[&200], 50);
    assert!(stats.running_ms[&50] > 0.0);
    let sum: f64 = stats.running_ms.values().sum();
    assert!((sum - stats.span_ms).abs() < 0.1);
    mock.stop().await;
}

#[actix_web::test]
async fn two_thousand_calls_run_at_once() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let delay = Duration::from_secs(2);
    let mock = mock_llm::start(Options { delay, ..Options::default() }).await.unwrap();
    let (client, body) = (client(), question("Why?"));
    let url = format!("{}/chat/completions", mock.base_url());
    let calls = (0..2_000).map(|_| client.post(&url).send_json(&body));
    let started = Instant::now();
    let statuses: Vec<u16> =
        join_all(calls).await.into_iter().map(|call| call.unwrap().status().as_u16()).collect();
    assert!(statuses.iter().all(|status| *status == 200));
    assert_eq!(mock.stats().peak_running, 2_000);
    assert!(started.elapsed() < delay * 5, "{:?}", started.elapsed());
    mock.stop().await;
}

#[actix_web::test]
async fn the_counters_are_read_and_reset_over_http() {
    let mock = start().await;
    ask(&mock, &question("Why?")).await;
    let url = format!("http://{}/stats", mock.addr());
    let stats: Value = client().get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!(stats["requests"], 1);
    assert_eq!(stats["peak_running"], 1);
    assert!(stats["running_ms"]["1"].as_f64().unwrap() >= 100.0, "{stats}");
    let reset = client().post(format!("{url}/reset")).send().await.unwrap();
    assert_eq!(reset.status(), 204);
    assert_eq!(mock.stats().requests, 0);
    mock.stop().await;
}

#[actix_web::test]
async fn each_fault_occurs_when_the_header_requests_it() {
    let mock = start().await;
    assert_eq!(ask_for_fault(&mock, "500").await.unwrap().0, 500);
    assert_eq!(ask_for_fault(&mock, "429").await.unwrap().1["error"]["type"], "rate_limit_error");
    assert_eq!(ask_for_fault(&mock, "garbage").await, Ok((200, Value::Null)));
    assert_eq!(ask_for_fault(&mock, "hangup").await, Err("hangup".into()));
    assert_eq!(ask_for_fault(&mock, "cut").await, Err("cut".into()));
    assert_eq!(ask_for_fault(&mock, "error").await.unwrap().1["error"]["code"], 502);
    assert_eq!(ask_for_fault(&mock, "empty").await.unwrap().1["choices"], json!([]));
    assert_eq!(
        ask_for_fault(&mock, "quota").await.unwrap().1["error"]["code"],
        "insufficient_quota"
    );
    // The body is gzip, so it is not JSON for this client.
    assert_eq!(ask_for_fault(&mock, "gzip").await, Ok((200, Value::Null)));
    assert_eq!(ask_for_fault(&mock, "teapot").await.unwrap().0, 400);
    let stats = mock.stats();
    assert_eq!((stats.hangups, stats.running), (2, 0));
    assert_eq!((stats.by_status[&429], stats.by_status[&500], stats.by_status[&200]), (2, 1, 4));
    mock.stop().await;
}

#[actix_web::test]
async fn the_head_of_a_slow_response_arrives_long_before_its_body() {
    let mock = start().await;
    let started = Instant::now();
    let url = format!("{}/chat/completions", mock.base_url());
    let request = client().post(url).insert_header(("x-mock-fault", "slow"));
    let mut response = request.send_json(&question("Why?")).await.unwrap();
    assert!(started.elapsed() < DELAY * 8);
    let body: Value = response.json().await.unwrap();
    assert!(started.elapsed() >= DELAY * 10);
    assert_eq!(body["choices"][0]["message"]["content"], "You asked: Why?");
    mock.stop().await;
}

#[actix_web::test]
async fn a_script_fails_the_first_calls_of_its_key() {
    let mock = start().await;
    let scripted = |key| with_mock(json!({"fault": "503", "times": 2, "key": key}));
    let mut statuses = Vec::new();
    for key in ["a", "a", "b", "a"] {
        statuses.push(ask(&mock, &scripted(key)).await.0);
    }
    assert_eq!(statuses, [503, 503, 503, 200]);
    mock.stop().await;
}

#[actix_web::test]
async fn a_refusal_contains_the_time_to_retry_after() {
    let mock = start().await;
    let url = format!("{}/chat/completions", mock.base_url());
    let mut headers = Vec::new();
    for script in [
        json!({"fault": "429"}),
        json!({"fault": "503", "retry_after": "7"}),
        json!({"fault": "429", "retry_after_ms": 20}),
    ] {
        let response = client().post(&url).send_json(&with_mock(script)).await.unwrap();
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.map(|value| value.to_str().unwrap().to_owned())
        };
        headers.push((header("retry-after"), header("retry-after-ms")));
    }
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(headers, [(text("1"), None), (text("7"), None), (None, text("20"))]);
    mock.stop().await;
}

#[actix_web::test]
async fn a_rule_affects_its_share_of_all_calls() {
    let faults = vec!["429:0.5".parse().unwrap()];
    let options = Options { delay: Duration::ZERO, faults, ..Options::default() };
    let mock = mock_llm::start(options).await.unwrap();
    for _ in 0..10 {
        ask(&mock, &question("Why?")).await;
    }
    let stats = mock.stats();
    assert_eq!((stats.by_status[&429], stats.by_status[&200]), (5, 5));
    mock.stop().await;
}

#[actix_web::test]
async fn the_call_of_a_client_that_disconnects_ends() {
    let mock = start().await;
    let body = with_mock(json!({"delay": "1h"}));
    let url = format!("{}/chat/completions", mock.base_url());
    let request = client().post(url).timeout(DELAY).send_json(&body).await;
    assert!(matches!(request, Err(SendRequestError::Timeout)), "{request:?}");
    let deadline = Instant::now() + Duration::from_secs(10);
    while mock.stats().running > 0 {
        assert!(Instant::now() < deadline, "the call still runs");
        actix_web::rt::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(mock.stats().abandoned, 1);
    mock.stop().await;
}

#[actix_web::test]
async fn an_unsupported_request_is_refused() {
    let mock = start().await;
    let mut streamed = question("Why?");
    streamed["stream"] = json!(true);
    for (body, word) in [
        (streamed, "does not stream"),
        (json!({"model": "mock"}), "messages"),
        (with_mock(json!({"falt": "429"})), "falt"),
    ] {
        let (status, answer) = ask(&mock, &body).await;
        assert_eq!(status, 400);
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(word), "{word} is missing in {message}");
    }
    mock.stop().await;
}
