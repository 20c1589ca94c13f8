//! What is kept with an attempt beside its error: responses, output of programs, causes of errors.

use std::time::Duration;

use longshore::config::{CommandConfig, Config, ProviderConfig};
use longshore::executor::{Handler, HandlerError, StopReason};
use longshore::job::AttemptDetail;
use longshore::job::attempt::{ExitDetail, ResponseDetail};
use longshore::job::outcome::Outcome;
use serde_json::{Value, json};

use crate::command::{command, registry_with_command, script};
use crate::harness::*;
use crate::kit::http::response;
use crate::server::*;

fn detail(outcome: &Outcome) -> AttemptDetail {
    outcome.detail().cloned().unwrap_or_else(|| panic!("no detail: {outcome:?}"))
}

fn response_detail(outcome: &Outcome) -> ResponseDetail {
    detail(outcome).response.unwrap()
}

fn exit_detail(outcome: &Outcome) -> ExitDetail {
    detail(outcome).exit.unwrap()
}

async fn http(response: Vec<u8>) -> Outcome {
    let (url, _seen) = start_server(response);
    run(&registry(), "http", json!({"url": url})).await
}

async fn chat(response: Vec<u8>) -> Outcome {
    let (url, _seen) = start_server(response);
    let provider = ProviderConfig { api_key_env: Some("PATH".into()), ..ProviderConfig::new(url) };
    let providers = [("model".to_owned(), provider)].into();
    let question = json!({"messages": [{"role": "user", "content": "x"}]});
    run(&registry_of(&Config { providers, ..Config::default() }), "chat", question).await
}

#[actix_web::test]
async fn a_refused_call_keeps_status_headers_and_body() {
    let headers = "x-request-id: req-1\r\nvia: a\r\nvia: b\r\ncontent-type: text/plain\r\n";
    let body = format!("start{}end", "-".repeat(100_000));
    for outcome in [
        http(response("503 Busy", headers, &body)).await,
        chat(response("503 Busy", headers, &body)).await,
    ] {
        let detail = detail(&outcome);
        assert_eq!(detail.request_id.as_deref(), Some("req-1"));
        let kept = detail.response.unwrap();
        assert_eq!((kept.status, &*kept.headers["via"]), (503, "a, b"));
        assert_eq!(kept.headers["content-length"], "100008");
        let kept = kept.body.unwrap();
        let omitted = body.len() - (16 << 10);
        assert!(kept.starts_with("start--") && kept.ends_with("--end"));
        assert!(kept.contains(&format!("\n[{omitted} bytes omitted]\n")), "{}", kept.len());
        // The message stays short.
        assert!(retryable(outcome).message.len() < 500);
    }
}

#[actix_web::test]
async fn a_body_that_is_not_text_is_kept_in_base64() {
    let outcome = http(response("500 X", "", [0xff, 0, 1])).await;
    let kept = response_detail(&outcome);
    assert_eq!((kept.body, kept.body_base64.as_deref()), (None, Some("/wAB")));
    let large = response_detail(&http(response("500 X", "", vec![0xff; 100_000])).await);
    assert_eq!(large.body_base64.unwrap().len(), 16 << 10);
    let none = response_detail(&http(response("500 X", "", "")).await);
    assert_eq!((none.body, none.body_base64), (None, None));
    // Text in another charset is readable.
    let headers = "content-type: text/html; charset=ISO-8859-1\r\n";
    let latin_1 = response_detail(&http(response("500 X", headers, b"\xe4")).await);
    assert_eq!(latin_1.body.as_deref(), Some("ä"));
}

#[actix_web::test]
async fn a_secret_is_hidden_in_each_encoding_of_a_body() {
    let text = "<p>the key is tea-for-two ü</p>";
    let utf_16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect();
    let utf_32 = |bytes: fn(u32) -> [u8; 4]| text.chars().flat_map(|c| bytes(c as u32)).collect();
    let with_mark = |mark: &[u8], bytes: Vec<u8>| [mark.to_vec(), bytes].concat();
    let cases: [(&str, Vec<u8>); 10] = [
        ("text/html; charset=utf-16le", utf_16(u16::to_le_bytes)),
        ("text/html; charset=\"UTF-16\"", utf_16(u16::to_be_bytes)),
        ("text/html; charset=utf-32be", utf_32(u32::to_be_bytes)),
        ("text/html", utf_16(u16::to_le_bytes)),
        ("application/x-unknown", utf_16(u16::to_be_bytes)),
        ("application/x-unknown", utf_32(u32::to_le_bytes)),
        ("application/x-unknown", with_mark(b"\xff\xfe", utf_16(u16::to_le_bytes))),
        ("text/plain", with_mark(b"\0\0\xfe\xff", utf_32(u32::to_be_bytes))),
        // It is UTF-8 whatever the header says.
        ("text/html; charset=utf-16", text.into()),
        ("text/html; charset=utf-8", text.into()),
    ];
    for (content_type, body) in cases {
        let headers = format!("content-type: {content_type}\r\n");
        let (url, _seen) = start_server(response("500 X", &headers, body));
        let payload = json!({"url": url, "headers": {"x-api-key": "tea-for-two"}});
        let outcome = run(&registry(), "http", payload).await;
        let kept = response_detail(&outcome).body.unwrap_or_else(|| panic!("{content_type}"));
        let shown = "<p>the key is (secret) ü</p>";
        assert_eq!(kept.trim_start_matches('\u{feff}'), shown, "{content_type}");
        assert!(retryable(outcome).message.contains(shown), "{content_type}");
    }
}

#[actix_web::test]
async fn nothing_is_kept_of_a_body_in_which_a_secret_would_not_be_found() {
    // In UTF-7, the hyphen may be written in base64.
    let response = response("500 X", "content-type: text/html; charset=UTF-7\r\n", "tea+AC0-two");
    let outcome = http(response).await;
    let kept = response_detail(&outcome);
    assert_eq!((kept.status, kept.body, kept.body_base64), (500, None, None));
    assert!(!retryable(outcome).message.contains("tea"));
}

#[actix_web::test]
async fn an_answer_that_cannot_be_read_is_kept() {
    let html = response_detail(&chat(response("200 OK", "", "<html>busy</html>")).await);
    assert_eq!((html.status, html.body.as_deref()), (200, Some("<html>busy</html>")));
    let bytes = response_detail(&chat(response("200 OK", "", [0xff, 0xff])).await);
    assert_eq!(bytes.body_base64.as_deref(), Some("//8="));
    let headers = "content-encoding: gzip\r\n";
    for outcome in [
        chat(response("200 OK", headers, [0x1f, 0x8b, 0xff, 0xff])).await,
        http(response("200 OK", headers, [0x1f, 0x8b, 0xff, 0xff])).await,
    ] {
        let kept = response_detail(&outcome);
        assert_eq!(kept.body_base64.as_deref(), Some("H4v//w=="));
        assert_eq!(kept.headers["content-encoding"], "gzip");
    }
    let error = r#"{"error": {"message": "busy", "code": 502}}"#;
    let kept = response_detail(&chat(response("200 OK", "", error)).await);
    assert_eq!(kept.body.as_deref(), Some(error));
}

#[actix_web::test]
async fn a_response_that_broke_off_keeps_its_beginning() {
    let url = listen(|caller, _| {
        caller.send("HTTP/1.1 200 OK\r\nrequest-id: r\r\ncontent-length: 99\r\n\r\nthe beginning");
        caller.disconnect();
    });
    let outcome = run(&registry(), "http", json!({"url": url})).await;
    let detail = detail(&outcome);
    assert_eq!(detail.request_id.as_deref(), Some("r"));
    let kept = detail.response.unwrap();
    assert_eq!((kept.status, kept.body.as_deref()), (200, Some("the beginning")));
    assert_eq!(retryable(outcome).code, "connection");
}

#[actix_web::test]
async fn a_call_that_was_stopped_in_the_middle_of_a_response_keeps_its_beginning() {
    let (url, _seen) = start_server("HTTP/1.1 200 OK\r\nage: 1\r\ncontent-length: 99\r\n\r\nhalf");
    let payload = json!({"url": url});
    let late = run_within(&registry(), "http", payload, Duration::from_millis(200)).await;
    let kept = response_detail(&late);
    assert_eq!((kept.status, kept.body.as_deref()), (200, Some("half")));
    assert_eq!(kept.headers["age"], "1");
    assert_eq!(retryable(late).code, "timeout");
    // Without a head there is nothing to keep.
    let silent = listen(|caller, _| caller.wait_until_closed());
    let payload = json!({"url": silent});
    let late = run_within(&registry(), "http", payload, Duration::from_millis(50)).await;
    assert_eq!(late.detail(), None);
}

#[actix_web::test]
async fn a_completed_model_call_keeps_the_id_and_the_headers() {
    let headers = "openai-request-id: req_9\r\nx-ratelimit-remaining-tokens: 149984\r\n";
    let outcome = chat(response("200 OK", headers, r#"{"choices": [{}]}"#)).await;
    let detail = detail(&outcome);
    assert_eq!(detail.request_id.as_deref(), Some("req_9"));
    let kept = detail.response.unwrap();
    assert_eq!((kept.status, kept.body, kept.body_base64), (200, None, None));
    assert_eq!(kept.headers["x-ratelimit-remaining-tokens"], "149984");
    // The result of an `http` job has everything.
    assert_eq!(http(response("200 OK", "", "x")).await.detail(), None);
}

#[actix_web::test]
async fn secrets_are_in_no_detail() {
    let body = "bad key s3cr3t-k3y at /?api_key=query-k3y";
    let headers = "set-cookie: a=b\r\nx-auth-token: t\r\nx-echo: s3cr3t-k3y\r\nage: 1\r\n";
    let (url, _seen) = start_server(response("401 Unauthorized", headers, body));
    let payload = json!({
        "url": format!("{url}/?api_key=query-k3y"), "headers": {"X-API-Key": "s3cr3t-k3y"},
    });
    let kept = response_detail(&run(&registry(), "http", payload.clone()).await);
    assert_eq!(kept.body.as_deref(), Some("bad key (secret) at /?api_key=(secret)"));
    for name in ["set-cookie", "x-auth-token", "x-echo"] {
        assert_eq!(kept.headers[name], "(secret)", "{name}");
    }
    assert_eq!(kept.headers["age"], "1");
    let (url, _seen) = start_server(response("401 X", "", b"\xff s3cr3t-k3y"));
    let payload = json!({"url": url, "headers": payload["headers"]});
    let kept = response_detail(&run(&registry(), "http", payload).await);
    // These are the bytes `\xff (secret)`.
    assert_eq!(kept.body_base64.as_deref(), Some("/yAoc2VjcmV0KQ=="));
}

#[actix_web::test]
async fn a_secret_is_in_no_detail_in_any_form() {
    let key = "a/b+c\"d==";
    let body = concat!(
        r#"<Bearer a/b+c"d==> <a%2Fb%2Bc%22d%3D%3D> <a%2fb%2bc%22d%3d%3d> "#,
        r#"<a/b+c\"d==> <a\/b+c\"d==> <a/b+c&quot;d==> "#,
        r#"<query%2dk3y%2F> <query-k3y/> <query-k3y\/> <query-k3y%2F>"#,
    );
    let headers = "x-echo: /?api_key=query%2dk3y%2F\r\n";
    let (url, _seen) = start_server(response("401 Unauthorized", headers, body));
    let payload = json!({
        "url": format!("{url}/?api_key=query%2dk3y%2F"),
        "headers": {"Authorization": format!("Bearer {key}")},
    });
    let outcome = run(&registry(), "http", payload).await;
    let kept = response_detail(&outcome);
    assert_eq!(kept.body.unwrap(), ["<(secret)>"; 10].join(" "));
    assert_eq!(kept.headers["x-echo"], "/?api_key=(secret)");
    let message = fatal(outcome).message;
    assert!(!message.contains("k3y") && !message.contains("b+c"), "{message}");
}

async fn program(config: CommandConfig) -> Outcome {
    run(&registry_with_command(config), "command", json!({"name": "run"})).await
}

#[actix_web::test]
async fn a_failed_program_keeps_its_status_and_its_output() {
    let outcome = program(script(
        "echo why; echo ::progress 5; echo more >&2; echo ::progress 5 >&2; exit 3",
    ))
    .await;
    let expected = ExitDetail {
        status: Some(3),
        signal: None,
        stdout: "why\n::progress 5\n".into(),
        stderr: "more\n".into(),
    };
    assert_eq!(exit_detail(&outcome), expected);
    let killed = exit_detail(&program(script("kill -9 $$")).await);
    assert_eq!((killed.status, killed.signal), (None, Some(9)));
    let long = exit_detail(&program(script("seq 100000; seq 50000 >&2; exit 1")).await);
    for (text, last, size) in
        [(&long.stdout, "100000\n", 588_895), (&long.stderr, "50000\n", 288_894)]
    {
        assert!(text.starts_with("1\n2\n3\n") && text.ends_with(last));
        let omitted = size - (16 << 10);
        assert!(text.contains(&format!("\n[{omitted} bytes omitted]\n")), "{omitted}: {text}");
    }
}

#[actix_web::test]
async fn a_stopped_program_keeps_what_it_has_written() {
    let config = script("echo out; echo err >&2; echo ::progress 1 >&2; exec sleep 600");
    let at_deadline = CommandConfig { timeout: Some("200ms".parse().unwrap()), ..config.clone() };
    let outcome = program(at_deadline).await;
    let exit = exit_detail(&outcome);
    assert_eq!((&*exit.stdout, &*exit.stderr, exit.signal), ("out\n", "err\n", Some(15)));
    assert_eq!(retryable(outcome).code, "timeout");

    let registry = registry_with_command(config);
    let (attempt, control) = start(&registry, "command", json!({"name": "run"}));
    soon(control.wait_for_reports()).await;
    while control.take_reports().0.is_none() {
        soon(control.wait_for_reports()).await;
    }
    control.stop(StopReason::Cancelled);
    let outcome = soon(attempt).await.unwrap();
    assert!(matches!(outcome, Outcome::Cancelled(_)), "{outcome:?}");
    let exit = exit_detail(&outcome);
    assert_eq!((&*exit.stdout, &*exit.stderr, exit.signal), ("out\n", "err\n", Some(15)));
}

#[actix_web::test]
async fn the_environment_of_a_program_is_in_no_detail() {
    let mut config = script("echo $KEY; echo $KEY >&2; exit 1");
    config.env.insert("KEY".into(), "hunter22-hunter22".into());
    let exit = exit_detail(&program(config).await);
    assert_eq!((&*exit.stdout, &*exit.stderr), ("(secret)\n", "(secret)\n"));
}

#[actix_web::test]
async fn a_truncated_output_keeps_its_start_and_its_end() {
    let mut config = Config::default();
    config.commands.insert("run".into(), command(&["seq", "100000"]));
    config.limits.max_result_bytes = 1_000;
    let outcome = run(&registry_of(&config), "command", json!({"name": "run"})).await;
    let excerpt = detail(&outcome).result.unwrap();
    assert!(job_result(outcome).truncated);
    assert!(excerpt.starts_with("1\n2\n") && excerpt.ends_with("\n100000\n"));
    let omitted = 588_895 - (64 << 10);
    assert!(excerpt.contains(&format!("\n[{omitted} bytes omitted]\n")));
}

#[actix_web::test]
async fn a_program_whose_output_is_too_large_keeps_its_exit_too() {
    let mut key = script("seq 100000; echo why $KEY >&2");
    key.env.insert("KEY".into(), "hunter22-hunter22".into());
    let mut config = Config::default();
    config.limits.max_result_bytes = 1_000;
    config.commands.insert("run".into(), key);
    config.commands.insert("bytes".into(), script(r"printf '\377\000\001'; seq 100000"));
    let registry = registry_of(&config);
    let known = detail(&run(&registry, "command", json!({"name": "run"})).await);
    assert!(known.result.unwrap().ends_with("\n100000\n"));
    let exit = known.exit.unwrap();
    assert_eq!((exit.status, exit.signal, &*exit.stderr), (Some(0), None, "why (secret)\n"));
    assert!(exit.stdout.starts_with("1\n2\n") && exit.stdout.ends_with("\n100000\n"));
    // Bytes are in base64, each end by itself.
    let known = detail(&run(&registry, "command", json!({"name": "bytes"})).await);
    let result = known.result.unwrap();
    let omitted = 588_898 - (48 << 10);
    assert!(result.starts_with("/wAB") && result.ends_with("MDAwMDAK"), "{}", result.len());
    assert!(result.contains(&format!("\n[{omitted} bytes omitted]\n")));
}

#[derive(Debug, thiserror::Error)]
#[error("cannot load the page")]
struct Outer(#[source] Inner);

#[derive(Debug, thiserror::Error)]
#[error("the disk is full")]
struct Inner;

#[actix_web::test]
async fn an_error_of_a_handler_keeps_its_causes() {
    let registry = registry_with(Handler::new(|_, (): ()| async {
        Err::<(), HandlerError>(Outer(Inner).into())
    }));
    let outcome = run(&registry, "handler", json!(null)).await;
    let traceback = detail(&outcome).traceback.unwrap();
    assert_eq!(traceback, "cannot load the page\ncaused by: the disk is full");
    assert_eq!(retryable(outcome).message, "cannot load the page: the disk is full");
    let registry = registry_with(Handler::new(|_, kind: String| async move {
        let long = "x".repeat(5_000) + "end";
        Err::<(), HandlerError>(match &*kind {
            "long" => HandlerError::fatal(long),
            "own" => HandlerError::fatal("failed").traceback("at step 3"),
            _ => HandlerError::fatal("failed"),
        })
    }));
    let traceback = |kind: &'static str| {
        let attempt = run(&registry, "handler", json!(kind));
        async { attempt.await.detail().and_then(|detail| detail.traceback.clone()) }
    };
    assert!(traceback("long").await.unwrap().ends_with("xend"));
    assert_eq!(traceback("own").await.as_deref(), Some("at step 3"));
    assert_eq!(traceback("short").await, None);
}

#[actix_web::test]
async fn a_panic_keeps_its_place() {
    let registry = registry_with(Handler::new(|_, (): ()| async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if true {
            panic!("the third step failed");
        }
        Ok::<Value, HandlerError>(Value::Null)
    }));
    let outcome = run(&registry, "handler", json!(null)).await;
    let traceback = detail(&outcome).traceback.unwrap();
    let place = format!("the third step failed\npanicked at {}:", file!());
    assert!(traceback.starts_with(&place), "{traceback}");
    assert_eq!(retryable(outcome).message, "the handler panicked: the third step failed");

    let blocking = registry_with(Handler::blocking(|_, (): ()| -> Result<(), HandlerError> {
        std::panic::panic_any(5)
    }));
    let (outcome, _) = run_blocking(&blocking, json!(null), TEST_TIMEOUT);
    let traceback = detail(&outcome).traceback.unwrap();
    assert!(
        traceback.starts_with(&format!("(no message)\npanicked at {}:", file!())),
        "{traceback}"
    );
}
