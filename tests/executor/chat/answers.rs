//! `chat` jobs: what an answer says about success and about another call.

use std::time::Duration;

use longshore::job::outcome::Outcome;
use serde_json::{Value, json};

use crate::harness::*;
use crate::kit::http::{json_response, response};
use crate::server::*;

async fn outcome_of(response: Vec<u8>) -> Outcome {
    let (url, _seen) = start_server(response);
    ask(&url).await
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
    assert_eq!(deferred(outcome).1, Duration::from_secs(3));
}

#[actix_web::test]
async fn advice_in_the_message_of_a_rate_limit_does_not_end_the_job() {
    let openai = "Rate limit reached for gpt-4 in organization org-x on tokens per min (TPM): Limit \
        10000. Please try again in 6s. Visit https://platform.openai.com/account/billing to add a \
        payment method.";
    for body in [
        json!({"error": {"message": openai, "type": "requests", "code": null}}),
        json!({"error": {"message": "context length of 8k per minute exceeded", "type": "tokens"}}),
        json!({"error": {"message": "quota exceeded, check your plan and billing details", "code": 429}}),
        json!({"message": "payment required for more than 3 requests per second"}),
    ] {
        for status in ["429 Too Many Requests", "503 Service Unavailable", "408 Request Timeout"] {
            let error = retryable(refusal(status, "", &body).await);
            assert_eq!(error.code, "http_status");
        }
        retryable(outcome_of_ok(&body).await);
    }
    let blocked = json!({"error": {"message": "insufficient_quota: see /billing", "code": null}});
    let error = fatal(refusal("429 X", "", &blocked).await);
    assert!(error.message.contains("not retried because of its message"), "{}", error.message);
}

#[actix_web::test]
async fn a_note_beside_an_answer_does_not_waste_it() {
    for note in [
        json!({"message": "warn"}),
        json!({"code": 0, "message": "success"}),
        json!({"code": "200", "status": "OK"}),
        json!({"type": "warning", "message": "deprecated"}),
        json!("the model is deprecated"),
        json!(""),
        json!({}),
    ] {
        let body = json!({"error": note, "choices": [{"message": {"content": "a"}}]});
        assert_eq!(completed(outcome_of_ok(&body).await), body);
        let choice = json!({"error": note, "message": {"content": "a"}, "finish_reason": "stop"});
        let body = json!({"choices": [choice]});
        assert_eq!(completed(outcome_of_ok(&body).await), body);
    }
    // An error makes the content beside it a part of an answer.
    for error in [
        json!({"message": "busy", "code": 502}),
        json!({"message": "busy", "type": "server_error", "code": 0}),
        json!("upstream timed out"),
        json!(true),
    ] {
        let body = json!({"error": error, "choices": [{"message": {"content": "par"}}]});
        assert_eq!(retryable(outcome_of_ok(&body).await).code, "provider_error", "{body}");
    }
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
        for body in ["{\"choices\": [", "", ": keepalive\n\n{\"choices\": [{\"a\": \"b\n"] {
            let url = listen(move |caller, _| {
                caller.send(format!("{head}{body}"));
                caller.disconnect();
            });
            let error = retryable(ask(&url).await);
            assert_eq!(error.code, "connection", "{head}{body}: {}", error.message);
        }
    }
}

#[actix_web::test]
async fn an_answer_that_is_almost_json_is_read() {
    let content = |body: &'static str| async move {
        let result = completed(outcome_of(response("200 OK", "", body)).await);
        result["choices"][0]["message"]["content"].as_str().map(str::to_owned)
    };
    for (body, expected) in [
        (r#"{"choices": [{"message": {"content": "a"}, "logprobs": NaN}]}"#, "a"),
        (r#"{"choices": [{"message": {"content": "a"}}], "score": -Infinity}"#, "a"),
        ("{\"choices\": [{\"message\": {\"content\": \"a\nb\tc\"}}]}", "a\nb\tc"),
        (r#"{"choices": [{"message": {"content": "C:\dir"}}]}"#, "C:\\dir"),
        (": keepalive\n\n: keepalive\n\n{\"choices\": [{\"message\": {\"content\": \"a\"}}]}", "a"),
        ("{\"choices\": [{\"message\": {\"content\": \"a\"}}]}\n{\"usage\": {}}", "a"),
        ("{\"choices\": [{\"message\": {\"content\": \"a\"}}]}: done\n", "a"),
    ] {
        assert_eq!(content(body).await.as_deref(), Some(expected), "{body}");
    }
    // Parts of a stream are no answer.
    let parts = "{\"choices\": [{\"delta\": {}}]}\n{\"choices\": [{\"delta\": {}}]}";
    assert_eq!(fatal(outcome_of(response("200 OK", "", parts)).await).code, "bad_answer");
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
