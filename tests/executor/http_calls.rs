//! `http` jobs: the request that is sent and the result of the response.

mod compressed;
mod large;
mod provider;
mod secrets;
mod urls;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::harness::*;
use crate::kit::http::{json_response, response};
use crate::server::*;

async fn result_of(response: Vec<u8>) -> Value {
    let (url, _seen) = start_server(response);
    completed(run(&registry(), "http", json!({"url": url})).await)
}

#[actix_web::test]
async fn a_json_response_is_json_in_the_result() {
    let result = result_of(json_response(r#"{"b": 1.50, "a": [null]}"#)).await;
    assert_eq!(result["status"], 200);
    assert_eq!(result["headers"]["content-type"], "application/json");
    assert_eq!(result["body"], json!({"b": 1.50, "a": [null]}));
    assert_eq!(result.get("truncated"), None);
    assert_eq!(result.get("body_encoding"), None);
}

#[actix_web::test]
async fn text_stays_text_even_if_it_looks_like_json() {
    let text = |kind: &str, body: &str| {
        response("200 OK", &format!("content-type: {kind}\r\n"), body.as_bytes())
    };
    assert_eq!(result_of(text("text/plain", "[1]")).await["body"], "[1]");
    assert_eq!(result_of(text("application/json", "[1")).await["body"], "[1");
    assert_eq!(result_of(text("application/problem+json; x=y", "[1]")).await["body"], json!([1]));
    assert_eq!(result_of(response("200 OK", "", "{}")).await["body"], json!({}));
    assert_eq!(result_of(response("200 OK", "", "\u{feff}{}")).await["body"], json!({}));
}

#[actix_web::test]
async fn a_binary_body_is_base64_and_marked_as_such() {
    let result = result_of(response("200 OK", "", [0xff, 0, 1])).await;
    assert_eq!(result["body"], "/wAB");
    assert_eq!(result["body_encoding"], "base64");
    let latin_1 = "content-type: text/plain; charset=iso-8859-1\r\n";
    let result = result_of(response("200 OK", latin_1, b"\xe4")).await;
    assert_eq!((&result["body"], &result["body_encoding"]), (&json!("5A=="), &json!("base64")));
}

#[actix_web::test]
async fn an_empty_response_has_no_body() {
    assert_eq!(result_of(response("201 Created", "", "")).await["body"], Value::Null);
    let none = result_of(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()).await;
    assert_eq!((&none["status"], &none["body"]), (&json!(204), &Value::Null));
}

#[actix_web::test]
async fn a_repeated_header_is_a_list() {
    let headers = "set-cookie: a=1\r\nset-cookie: b=2\r\n";
    let result = result_of(response("200 OK", headers, "")).await;
    assert_eq!(result["headers"]["set-cookie"], json!(["a=1", "b=2"]));
}

#[actix_web::test]
async fn a_chunked_response_is_joined() {
    let response =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n";
    assert_eq!(result_of(response.to_vec()).await["body"], json!([1]));
}

#[actix_web::test]
async fn a_response_to_head_has_a_length_and_no_body() {
    let (url, _seen) = start_server("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
    let result = completed(run(&registry(), "http", json!({"url": url, "method": "HEAD"})).await);
    assert_eq!(
        (&result["headers"]["content-length"], &result["body"]),
        (&json!("5"), &Value::Null)
    );
}

#[actix_web::test]
async fn an_http_1_0_response_ends_with_its_connection() {
    let url = listen(|caller, _| {
        caller.send("HTTP/1.0 200 OK\r\n\r\nall of it");
        caller.disconnect();
    });
    assert_eq!(completed(run(&registry(), "http", json!({"url": url})).await)["body"], "all of it");
}

#[actix_web::test]
async fn a_call_is_get_without_a_body_and_post_with_one() {
    let (url, mut seen) = start_server(response("200 OK", "", ""));
    let registry = registry();
    let url = format!("{url}/a/b?c=%20d");
    let text = Some("text/plain; charset=utf-8");
    let bodies = [
        (json!({"url": url}), "GET", None, ""),
        (json!({"url": url, "body": "text"}), "POST", text, "text"),
        (
            json!({"url": url, "body": [1, {"a": 2}]}),
            "POST",
            Some("application/json"),
            r#"[1,{"a":2}]"#,
        ),
        (json!({"url": url, "body_base64": "AP8=", "method": "PUT"}), "PUT", None, "\u{0}\u{fffd}"),
        (
            json!({"url": url, "body": {}, "headers": {"Content-Type": "application/x"}}),
            "POST",
            Some("application/x"),
            "{}",
        ),
        (json!({"url": url, "method": "DELETE"}), "DELETE", None, ""),
        // Standard methods are sent in upper case, others as they are written.
        (json!({"url": url, "method": "get"}), "GET", None, ""),
        (json!({"url": url, "method": "Patch", "body": ""}), "PATCH", text, ""),
        (json!({"url": url, "method": "purge"}), "purge", None, ""),
    ];
    for (payload, method, content_type, body) in bodies {
        completed(run(&registry, "http", payload).await);
        let (_, request) = soon(seen.recv()).await.unwrap();
        assert_eq!(request.line(), format!("{method} /a/b?c=%20d HTTP/1.1"));
        assert_eq!(request.header("content-type"), content_type);
        assert_eq!(String::from_utf8_lossy(&request.body), body);
    }
}

#[actix_web::test]
async fn a_call_identifies_this_server_and_the_job() {
    let (url, mut seen) = start_server(response("200 OK", "", ""));
    completed(run(&registry(), "http", json!({"url": url})).await);
    let (_, request) = soon(seen.recv()).await.unwrap();
    let agent = concat!("longshore/", env!("CARGO_PKG_VERSION"));
    assert_eq!(request.header("user-agent"), Some(agent));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert_eq!(request.header("longshore-job"), Some("7"));
    assert_eq!(request.header("longshore-attempt"), Some("2"));
    let key = request.header("idempotency-key").unwrap();
    assert!(key.starts_with("longshore-7-"), "{key}");
    assert_eq!(url.strip_prefix("http://"), request.header("host"));
}

#[actix_web::test]
async fn all_attempts_share_an_idempotency_key_unless_the_job_sets_one() {
    let (url, mut seen) = start_server(response("200 OK", "", ""));
    let registry = registry();
    let own = json!({"url": url, "headers": {"Idempotency-Key": "mine", "User-Agent": "me"}});
    let mut keys = Vec::new();
    for payload in [json!({"url": url}), json!({"url": url}), json!({"url": url, "body": 1}), own] {
        completed(run(&registry, "http", payload).await);
        let (_, request) = soon(seen.recv()).await.unwrap();
        keys.push(request.header("idempotency-key").unwrap().to_owned());
    }
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2]);
    assert_eq!(keys[3], "mine");
}

#[actix_web::test]
async fn payload_problems_are_reported_at_submission_with_a_pointer() {
    let registry = registry();
    let url = "http://127.0.0.1/";
    let payloads = [
        (json!(null), ""),
        (json!({}), ""),
        (json!({"url": url, "x": 1}), "/x"),
        (json!({"url": "ftp://a/"}), "/url"),
        (json!({"url": "/path"}), "/url"),
        (json!({"url": "http://"}), "/url"),
        (json!({"url": "http://user:pass@host/"}), "/url"),
        (json!({"url": "http://host:99999/"}), "/url"),
        (json!({"url": "http://host:0/"}), "/url"),
        (json!({"url": "http://host:/"}), "/url"),
        (json!({"url": "http:///path"}), "/url"),
        (json!({"url": "http://a b/"}), "/url"),
        (json!({"url": " http://host/"}), "/url"),
        (json!({"url": "http://host/\t"}), "/url"),
        (json!({"url": "http://host/\r\nx: y"}), "/url"),
        (json!({"url": url, "method": "GE T"}), "/method"),
        (json!({"url": url, "method": "CONNECT"}), "/method"),
        (json!({"url": url, "method": "connect"}), "/method"),
        (json!({"url": url, "headers": {"a b": "c"}}), "/headers/a b"),
        (json!({"url": url, "headers": {"a": "c\nd"}}), "/headers/a"),
        (json!({"url": url, "headers": {"a": 1}}), "/headers/a"),
        (json!({"url": url, "headers": {"Host": "x"}}), "/headers/Host"),
        (json!({"url": url, "headers": {"Content-Length": "1"}}), "/headers/Content-Length"),
        (json!({"url": url, "headers": {"connection": "x"}}), "/headers/connection"),
        (json!({"url": url, "headers": {"longshore-job": "1"}}), "/headers/longshore-job"),
        (json!({"url": url, "body": 1, "body_base64": "AA=="}), "/body_base64"),
        (json!({"url": url, "body_base64": "?"}), "/body_base64"),
    ];
    for (payload, pointer) in payloads {
        assert_eq!(problem_pointers(&registry, "http", &payload), [pointer], "{payload}");
    }
    for good in ["https://host", "http://[::1]:8080/x?y#z", "http://host:1/{a}", "http://hö.de/a b"]
    {
        assert_eq!(problem_pointers(&registry, "http", &json!({"url": good})), [""; 0], "{good}");
    }
    let many = json!({"url": "x", "method": " ", "headers": {"host": "a"}});
    assert_eq!(problem_pointers(&registry, "http", &many), ["/url", "/headers/host", "/method"]);
    assert_eq!(fatal(run(&registry, "http", many).await).code, "bad_payload");
}

#[actix_web::test]
async fn a_long_response_is_truncated_and_its_connection_closed() {
    let (closed, mut has_closed) = mpsc::unbounded_channel();
    let url = listen(move |caller, _| {
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";
        caller.send(head);
        // This loop ends only when the client closes the connection.
        while caller.send("4\r\n\"€\r\n") {}
        closed.send(()).unwrap();
    });
    let mut config = config();
    config.limits.max_result_bytes = 1_000;
    let result = job_result(run(&registry_of(&config), "http", json!({"url": url})).await);
    soon(has_closed.recv()).await.unwrap();
    assert!(result.truncated);
    let len = result.json.as_str().len();
    assert!((960..=1_000).contains(&len), "{len}");
    let result: Value = serde_json::from_str(result.json.as_str()).unwrap();
    assert_eq!(result["truncated"], true);
    assert!(result["body"].as_str().unwrap().starts_with("\"€\"€"));
}

#[actix_web::test]
async fn a_long_binary_response_is_truncated_to_valid_base64() {
    let mut config = config();
    config.limits.max_result_bytes = 500;
    let (url, _seen) = start_server(response("200 OK", "", vec![0xff; 2_000]));
    let result = job_result(run(&registry_of(&config), "http", json!({"url": url})).await);
    assert!(result.truncated && result.json.as_str().len() <= 500);
    let result: Value = serde_json::from_str(result.json.as_str()).unwrap();
    assert_eq!(result["body_encoding"], "base64");
    assert!(result["body"].as_str().unwrap().bytes().all(|c| c == b'/'));
}
