//! `chat` jobs: what an answer says about success and about another call.

use std::time::Duration;

use longshore::config::{Config, ProviderConfig};
use longshore::job::outcome::Outcome;
use serde_json::{Value, json};

use crate::harness::*;
use crate::kit::http::{json_response, response};
use crate::server::*;

async fn outcome_of(response: Vec<u8>) -> Outcome {
    let (url, _seen) = start_server(response);
    outcome_from(&url).await
}

async fn outcome_from(url: &str) -> Outcome {
    let provider = ProviderConfig {
        base_url: url.into(),
        api_key_env: None,
        max_running: None,
        requests_per_minute: None,
    };
    let providers = [("model".to_owned(), provider)].into();
    let question = json!({"messages": [{"role": "user", "content": "x"}]});
    run(&registry_of(&Config { providers, ..Config::default() }), "chat", question).await
}

/// Returns the outcome of an answer with status 200 and this body.
async fn outcome_of_ok(body: &Value) -> Outcome {
    outcome_of(json_response(&body.to_string())).await
}

/// Returns the outcome of an answer with another status, headers and body.
async fn refusal(status: &str, headers: &str, body: &Value) -> Outcome {
    outcome_of(response(status, headers, body.to_string())).await
}

#[actix_web::test]
async fn an_error_in_a_200_answer_fails_the_attempt() {
    for body in [
        json!({"error": {"message": "busy", "code": 502}}),
        json!({"error": {"message": "busy"}, "choices": [{"message": {"content": ""}}]}),
        json!({"error": {"message": "busy", "type": "overloaded_error"}, "choices": []}),
        json!({"error": "busy"}),
        json!({"object": "error", "message": "busy", "code": 500}),
        json!({"detail": "busy"}),
        json!([{"error": {"message": "busy", "code": 503}}]),
        json!({"choices": [{"finish_reason": "error", "error": {"message": "busy", "code": 502}}]}),
        json!({"choices": [{"finish_reason": "error", "message": {"content": "busy"}}]}),
    ] {
        let error = retryable(outcome_of_ok(&body).await);
        assert_eq!(error.code, "provider_error", "{body}");
        assert!(error.message.starts_with("the answer is an error: "), "{}", error.message);
    }
    let message =
        retryable(outcome_of_ok(&json!({"error": {"message": "busy", "code": 502}})).await);
    assert_eq!(message.message, "the answer is an error: busy (502)");
}

#[actix_web::test]
async fn an_error_in_a_200_answer_that_will_stay_is_not_retried() {
    for (body, why) in [
        (json!({"error": {"message": "x", "type": "insufficient_quota"}}), "insufficient_quota"),
        (json!({"error": {"message": "x", "code": "invalid_api_key"}}), "invalid_api_key"),
        (json!({"error": {"message": "x", "code": 400}}), "400"),
        (json!({"error": {"message": "x", "code": "model_not_found"}}), "model_not_found"),
        (json!({"object": "error", "message": "x", "type": "BadRequestError"}), "BadRequestError"),
        (
            json!({"type": "error", "error": {"type": "authentication_error", "message": "x"}}),
            "authentication_error",
        ),
    ] {
        let error = fatal(outcome_of_ok(&body).await);
        assert_eq!(error.code, "provider_error");
        let expected = format!("; it is not retried because of {why}");
        assert!(error.message.ends_with(&expected), "{}", error.message);
    }
}

#[actix_web::test]
async fn an_answer_without_choices_is_not_a_result() {
    for body in [
        json!({}),
        json!({"choices": []}),
        json!({"choices": null}),
        json!({"choices": {"0": 1}}),
        json!({"id": "x", "usage": {}}),
        json!({"error": null, "choices": []}),
        json!(null),
        json!([]),
        json!("text"),
    ] {
        let error = retryable(outcome_of_ok(&body).await);
        assert_eq!(error.code, "bad_answer", "{body}");
        assert!(error.message.starts_with("the answer has no choices"), "{}", error.message);
    }
}

#[actix_web::test]
async fn choices_without_an_error_are_a_result() {
    for body in [
        json!({"error": null, "choices": [{"message": {"content": "a"}}]}),
        json!({"error": {}, "choices": [{"message": {"content": null}}]}),
        json!({"error": "", "choices": [{}]}),
        // One choice of two is an answer.
        json!({"choices": [{"finish_reason": "error"}, {"message": {"content": "a"}}]}),
        json!({"choices": [{"message": {"content": "the error is 502"}}], "message": "note"}),
    ] {
        assert_eq!(completed(outcome_of_ok(&body).await), body);
    }
}

#[actix_web::test]
async fn a_429_that_will_stay_is_not_retried_and_says_why() {
    let quota = json!({"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}});
    let key = json!({"error": {"type": "invalid_request_error", "code": "invalid_api_key"}});
    let limit = json!({"error": {"type": "requests", "code": "rate_limit_exceeded"}});
    let no_retry = "X-Should-Retry: False \r\nretry-after: 1\r\n";
    for (headers, body, why) in [
        ("", &quota, "insufficient_quota"),
        ("x-should-retry: true\r\n", &quota, "insufficient_quota"),
        ("", &key, "invalid_api_key"),
        (no_retry, &limit, "x-should-retry: false"),
        (no_retry, &Value::Null, "x-should-retry: false"),
    ] {
        for status in ["429 Too Many Requests", "503 Service Unavailable"] {
            let outcome = refusal(status, headers, body).await;
            assert_eq!(retry_in(&outcome), None);
            let error = fatal(outcome);
            assert_eq!(error.code, "http_status");
            let expected =
                format!("the server answered {status}, which is not retried because of {why}: ");
            assert!(error.message.starts_with(&expected), "{}", error.message);
        }
    }
    let outcome = refusal("429 X", "retry-after: 3\r\n", &limit).await;
    assert_eq!(retry_in(&outcome), Some(Duration::from_secs(3)));
    retryable(outcome);
}

#[actix_web::test]
async fn the_header_of_the_server_decides_about_another_call() {
    let conflict = json!({"error": {"message": "lock timeout", "type": "conflict"}});
    retryable(refusal("409 Conflict", "x-should-retry: true\r\n", &conflict).await);
    fatal(refusal("409 Conflict", "x-should-retry: maybe\r\n", &conflict).await);
    fatal(refusal("500 X", "x-should-retry: false\r\n", &json!({})).await);
    let ok = json_response(r#"{"error": {"code": 502}}"#);
    let ok = String::from_utf8(ok).unwrap().replacen("\r\n", "\r\nx-should-retry: false\r\n", 1);
    let error = fatal(outcome_of(ok.into_bytes()).await);
    assert!(error.message.ends_with("because of x-should-retry: false"), "{}", error.message);
}

#[actix_web::test]
async fn a_200_answer_that_is_an_error_may_ask_for_a_pause() {
    let busy = response("200 OK", "retry-after: 7\r\n", r#"{"error": {"code": 429}}"#);
    assert_eq!(retry_in(&outcome_of(busy).await), Some(Duration::from_secs(7)));
}

#[actix_web::test]
async fn an_answer_that_is_not_json_is_paid_for_once() {
    for body in [&b"<html>busy</html>"[..], b"", b"{\"choices\": [", &[0xff, 0x00], b"data: {}\n\n"]
    {
        let error = fatal(outcome_of(response("200 OK", "", body)).await);
        assert_eq!(error.code, "bad_answer", "{}", error.message);
    }
    let error = fatal(outcome_of(response("200 OK", "", "<html>busy</html>")).await);
    assert!(error.message.ends_with(": <html>busy</html>"), "{}", error.message);
}

#[actix_web::test]
async fn an_answer_that_broke_off_is_asked_for_again() {
    for head in ["HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
        for body in ["{\"choices\": [", ""] {
            let url = listen(move |caller, _| {
                caller.send(format!("{head}{body}"));
                caller.disconnect();
            });
            let error = retryable(outcome_from(&url).await);
            assert_eq!(error.code, "connection", "{head}{body}: {}", error.message);
        }
    }
}

#[actix_web::test]
async fn wrong_bytes_in_an_answer_do_not_waste_it() {
    let answer = |content: &[u8]| {
        [&b"{\"choices\": [{\"message\": {\"content\": \""[..], content, b"\"}}]}"].concat()
    };
    let latin_1 = "content-type: application/json; charset=iso-8859-1\r\n";
    let utf_16 = |to_bytes: fn(u16) -> [u8; 2]| {
        let text = String::from_utf8(answer("ä".as_bytes())).unwrap();
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(to_bytes).collect::<Vec<_>>()
    };
    for (headers, body, content) in [
        ("", [&b"\xef\xbb\xbf"[..], &answer(b"a")].concat(), "a"),
        ("", answer(b"a\xffb"), "a\u{fffd}b"),
        ("", answer(b"cut \\ud83d"), "cut \u{fffd}"),
        (latin_1, answer(b"\xe4"), "ä"),
        (latin_1, answer("ä".as_bytes()), "ä"),
        ("", utf_16(u16::to_le_bytes), "ä"),
        ("", utf_16(u16::to_be_bytes), "ä"),
        ("content-type: text/plain\r\n", answer(b"a"), "a"),
    ] {
        let result = completed(outcome_of(response("200 OK", headers, &body)).await);
        assert_eq!(result["choices"][0]["message"]["content"], content, "{headers}");
    }
}
