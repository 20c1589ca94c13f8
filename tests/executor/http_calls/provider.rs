//! `http` and `chat` jobs that call a provider from the configuration.

use std::time::Duration;

use longshore::config::{Config, ProviderAuth, ProviderConfig};
use longshore::executor::Registry;
use serde_json::{Value, json};

use crate::harness::*;
use crate::kit::http::{Request, json_response, response};
use crate::server::*;

/// An environment variable that is set wherever tests run, with a value long enough to be a secret.
const KEY_ENV: &str = "PATH";

fn key() -> String {
    std::env::var(KEY_ENV).unwrap()
}

/// Returns the configuration of a provider as Azure needs it.
fn azure(url: &str) -> ProviderConfig {
    let [header, prefix, value_env] = ["api-key", "", KEY_ENV].map(str::to_owned);
    let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    ProviderConfig {
        auth: Some(ProviderAuth { header, prefix, value_env }),
        query: [text("api-version", "2024-06-01"), text("ä", "+ &")].into(),
        headers: [text("X-Organization", "org"), text("Accept", "application/json")].into(),
        ..ProviderConfig::new(format!("{url}/openai/"))
    }
}

fn registry_for(provider: ProviderConfig) -> Registry {
    registry_of(&Config {
        providers: [("one".to_owned(), provider)].into(),
        ..crate::harness::config()
    })
}

/// Runs a job whose call must succeed, and returns the request.
async fn request_of(kind: &str, payload: Value) -> Request {
    let (url, mut seen) = start_server(json_response(r#"{"choices": [{}]}"#));
    completed(run(&registry_for(azure(&url)), kind, payload).await);
    soon(seen.recv()).await.unwrap().1
}

#[actix_web::test]
async fn a_call_has_the_query_the_headers_and_the_key_of_its_provider() {
    let chat = request_of("chat", chat_question()).await;
    let query = "api-version=2024-06-01&%C3%A4=%2B%20%26";
    assert_eq!(chat.line(), format!("POST /openai/chat/completions?{query} HTTP/1.1"));
    let payload = json!({"provider": "one", "path": "/v1/charges?limit=3", "body": {"a": 1}});
    let http = request_of("http", payload).await;
    assert_eq!(http.line(), format!("POST /openai/v1/charges?limit=3&{query} HTTP/1.1"));
    assert_eq!(http.body, br#"{"a":1}"#);
    for request in [chat, http] {
        assert_eq!(request.header("api-key"), Some(&*key()));
        assert_eq!(request.header("authorization"), None);
        assert_eq!(request.header("x-organization"), Some("org"));
        assert_eq!(request.header("accept"), Some("application/json"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("longshore-job"), Some("7"));
    }
}

#[actix_web::test]
async fn a_header_of_a_job_overrides_that_of_its_provider_but_not_the_key() {
    let headers = json!({"x-organization": "mine", "Authorization": "other"});
    let payload = json!({"provider": "one", "path": "/", "headers": headers});
    let request = request_of("http", payload).await;
    assert_eq!(request.header("x-organization"), Some("mine"));
    assert_eq!(request.header("authorization"), Some("other"));
    assert_eq!(request.header("api-key"), Some(&*key()));
    let registry = registry_for(azure("http://127.0.0.1:1"));
    let payload = json!({"provider": "one", "path": "/", "headers": {"API-Key": "mine"}});
    assert_eq!(problem_pointers(&registry, "http", &payload), ["/headers/API-Key"]);
}

#[actix_web::test]
async fn a_content_type_of_a_provider_is_sent_unless_the_job_sets_one() {
    let (url, mut seen) = start_server(json_response(r#"{"choices": [{}]}"#));
    let form = "application/x-www-form-urlencoded";
    let headers = [("content-type".to_owned(), form.to_owned())].into();
    let registry = registry_for(ProviderConfig { headers, ..ProviderConfig::new(&*url) });
    let payload = json!({"provider": "one", "path": "/", "body": "a=b"});
    let own =
        json!({"provider": "one", "path": "/", "body": "a", "headers": {"Content-Type": "x/y"}});
    for (payload, expected) in [(payload, form), (own, "x/y")] {
        completed(run(&registry, "http", payload).await);
        let request = soon(seen.recv()).await.unwrap().1;
        assert_eq!(request.header("content-type"), Some(expected));
    }
}

#[actix_web::test]
async fn a_payload_names_either_a_url_or_a_provider_and_a_path() {
    let registry = registry_for(azure("http://127.0.0.1:1"));
    let url = "http://127.0.0.1:1/";
    for (payload, pointers) in [
        (json!({}), &[""][..]),
        (json!({"url": null}), &[""]),
        (json!({"provider": "one"}), &["/path"]),
        (json!({"path": "/a"}), &["/provider"]),
        (json!({"provider": "two", "path": "/a"}), &["/provider"]),
        (json!({"provider": "two"}), &["/provider", "/path"]),
        (json!({"url": url, "provider": "one"}), &["/provider"]),
        (json!({"url": url, "path": "/a"}), &["/path"]),
        (json!({"url": url, "provider": "one", "path": "/a"}), &["/provider", "/path"]),
        (json!({"provider": 1, "path": "/a"}), &["/provider"]),
        (json!({"provider": "one", "path": "a"}), &["/path"]),
        (json!({"provider": "one", "path": "/../a"}), &["/path"]),
        (json!({"provider": "one", "path": "/?api-version=1"}), &["/path"]),
        (json!({"provider": "one", "path": "/?API%2DVersion"}), &["/path"]),
        (json!({"provider": "one", "path": "/?%c3%a4=1"}), &["/path"]),
        (json!({"provider": "one", "path": format!("/{}", "a".repeat(70_000))}), &["/path"]),
        (json!({"provider": "one", "path": "/", "method": "trace"}), &["/method"]),
        (json!({"provider": "one", "path": "/a", "method": "GET", "headers": {"x": "y"}}), &[]),
    ] {
        assert_eq!(problem_pointers(&registry, "http", &payload), pointers, "{payload}");
    }
    let detail = |payload: Value| {
        let payload = longshore::job::Json::of(&payload).unwrap();
        registry.check("http", &payload).unwrap_err()[0].detail.clone()
    };
    let unknown = detail(json!({"provider": "two", "path": "/a"}));
    assert_eq!(unknown, "provider \"two\" does not exist; configured providers: one");
    let set = detail(json!({"provider": "one", "path": "/?api-version=1"}));
    assert!(set.contains("\"api-version\", which the provider sets"), "{set}");
}

#[actix_web::test]
async fn a_job_counts_for_its_provider() {
    let registry = registry_for(azure("http://127.0.0.1:1"));
    let check = |payload: Value| {
        let payload = longshore::job::Json::of(&payload).unwrap();
        registry.check("http", &payload).unwrap().map(|name| name.to_string())
    };
    assert_eq!(check(json!({"provider": "one", "path": "/a"})).as_deref(), Some("one"));
    assert_eq!(check(json!({"url": "http://127.0.0.1:1/openai/a"})), None);
}

#[actix_web::test]
async fn a_busy_provider_that_says_when_to_call_again_defers_the_job() {
    let payload = json!({"provider": "one", "path": "/a"});
    for (status, headers, pause) in [
        ("429 X", "retry-after: 9\r\n", Some(9)),
        ("503 X", "retry-after: 9\r\n", Some(9)),
        ("503 X", "", None),
        ("500 X", "retry-after: 9\r\n", None),
    ] {
        let (url, _seen) = start_server(response(status, headers, ""));
        let outcome = run(&registry_for(azure(&url)), "http", payload.clone()).await;
        match pause {
            Some(seconds) => assert_eq!(deferred(outcome).1, Duration::from_secs(seconds)),
            None => assert_eq!(retryable(outcome).code, "http_status"),
        }
        // A call by URL pauses nothing.
        let outcome = run(&registry(), "http", json!({"url": url})).await;
        assert_eq!(retryable(outcome).code, "http_status");
    }
}

#[actix_web::test]
async fn a_key_is_hidden_whatever_its_header_is_called() {
    let [header, prefix, value_env] = ["x-id", "id:", KEY_ENV].map(str::to_owned);
    let auth = Some(ProviderAuth { header, prefix, value_env });
    let (url, _seen) = listen_and_record(|caller, request| {
        let value = request.header("x-id").unwrap().to_owned();
        caller.answer("401 Unauthorized", &format!("x-echo: {value}\r\n"), &format!("no {value}"));
    });
    let registry = registry_for(ProviderConfig { auth, ..ProviderConfig::new(&*url) });
    let outcome = run(&registry, "http", json!({"provider": "one", "path": "/"})).await;
    let shown = format!("{outcome:?}");
    assert!(!shown.contains(&key()), "{shown}");
    assert!(fatal(outcome).message.contains("no id:(secret)"), "{shown}");
}
