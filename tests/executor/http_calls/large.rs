//! `http` and `chat` jobs: what is kept of answers that are too large.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use longshore::job::AttemptDetail;
use longshore::job::outcome::Outcome;
use serde_json::json;

use crate::harness::*;
use crate::http_calls::compressed::{coded, gzip, outcomes_of};
use crate::kit::http::response;
use crate::server::*;

/// Size of each end of an answer that is kept.
const END: usize = 32 << 10;
const MIB: usize = 1 << 20;

/// Returns the detail of a result that was truncated.
fn truncated(outcome: Outcome) -> AttemptDetail {
    let detail = outcome.detail().cloned().unwrap_or_else(|| panic!("no detail: {outcome:?}"));
    assert!(job_result(outcome).truncated);
    detail
}

fn long_text(len: usize) -> String {
    format!("THE START{}THE END", "-".repeat(len))
}

/// Checks the excerpt of [`long_text`].
fn assert_ends(excerpt: &str, text: &str) {
    let (head, tail) = (&text[..END], &text[text.len() - END..]);
    let omitted = text.len() - 2 * END;
    assert!(
        excerpt == format!("{head}\n[{omitted} bytes omitted]\n{tail}"),
        "{} ... {}",
        &excerpt[..40],
        &excerpt[excerpt.len() - 40..]
    );
}

#[actix_web::test]
async fn the_end_of_an_answer_over_the_limit_is_kept() {
    let text = long_text(2 * MIB);
    for max_bytes in [MIB, 1_000] {
        let (http, chat) =
            outcomes_of(response("200 OK", "x-request-id: r\r\n", &text), max_bytes).await;
        for outcome in [http, chat] {
            let detail = truncated(outcome);
            assert_ends(&detail.result.unwrap(), &text);
            assert_eq!(detail.request_id.as_deref(), Some("r"));
            assert_eq!(detail.response.unwrap().status, 200);
        }
    }
    // The same within the limit for the connection, but not within that for the result.
    let text = long_text(MIB - 20);
    let (http, _) = outcomes_of(response("200 OK", "", &text), MIB).await;
    assert_ends(&truncated(http).result.unwrap(), &text);
}

#[actix_web::test]
async fn the_end_of_a_compressed_answer_over_the_limit_is_kept() {
    let text = long_text(2 * MIB);
    let (http, chat) = outcomes_of(coded("gzip", &gzip(text.as_bytes())), MIB).await;
    for outcome in [http, chat] {
        assert_ends(&truncated(outcome).result.unwrap(), &text);
    }
}

#[actix_web::test]
async fn both_ends_of_a_binary_answer_are_kept_in_base64() {
    let body = [vec![0xff; 2 * MIB], vec![0xfe; MIB]].concat();
    let (http, _) = outcomes_of(response("200 OK", "", &body), MIB).await;
    let result = truncated(http).result.unwrap();
    let parts: Vec<&str> = result.split('\n').collect();
    let end = END / 4 * 3;
    assert_eq!(parts[1], format!("[{} bytes omitted]", body.len() - 2 * end));
    assert_eq!(BASE64_STANDARD.decode(parts[0]).unwrap(), vec![0xff; end]);
    assert_eq!(BASE64_STANDARD.decode(parts[2]).unwrap(), vec![0xfe; end]);
}

#[actix_web::test]
async fn the_end_of_an_error_body_is_kept() {
    for len in [300_000, 2 * MIB] {
        let text = long_text(len);
        let (http, chat) = outcomes_of(response("500 X", "", &text), MIB).await;
        for outcome in [http, chat] {
            let body = outcome.detail().unwrap().response.clone().unwrap().body.unwrap();
            let omitted = text.len() - (16 << 10);
            assert!(body.starts_with("THE START") && body.ends_with("THE END"));
            assert!(body.contains(&format!("\n[{omitted} bytes omitted]\n")), "{len}");
        }
    }
    // Latin-1 is readable at both ends.
    let text = [&[0xe4], &*vec![b'-'; 300_000], &[0xfc]].concat();
    let headers = "content-type: text/plain; charset=iso-8859-1\r\n";
    let (http, _) = outcomes_of(response("500 X", headers, &text), MIB).await;
    let body = http.detail().unwrap().response.clone().unwrap().body.unwrap();
    assert!(body.starts_with("ä--") && body.ends_with("--ü"), "{}", body.len());
}

#[actix_web::test]
async fn an_answer_without_an_end_is_read_within_bounds() {
    let endless = || {
        listen(|caller, _| {
            caller.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            let chunk = format!("100000\r\n{}\r\n", "x".repeat(MIB));
            while caller.send(&*chunk) {}
        })
    };
    let mut config = config();
    config.limits.max_result_bytes = 1_000;
    let registry = registry_of(&config);
    let result = truncated(run(&registry, "http", json!({"url": endless()})).await).result.unwrap();
    assert!(result.ends_with("x\n[the rest was not read]"), "{}", &result[result.len() - 40..]);
    let omitted: usize = result.split(['[', ' ']).nth(1).unwrap().parse().unwrap();
    assert!(omitted < 18 * MIB, "{omitted}");
}

#[actix_web::test]
async fn an_answer_that_is_too_large_at_the_deadline_is_too_large() {
    let url = listen(|caller, _| {
        caller.send("HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n");
        caller.send("x".repeat(2_000));
        caller.wait_until_closed();
    });
    let mut config = config();
    config.limits.max_result_bytes = 1_000;
    let started = Instant::now();
    let timeout = Duration::from_millis(500);
    let outcome = run_within(&registry_of(&config), "http", json!({"url": url}), timeout).await;
    assert_eq!(
        truncated(outcome).result.unwrap(),
        format!("{}\n[the rest was not read]", "x".repeat(2_000))
    );
    assert!(started.elapsed() < Duration::from_secs(4));
}
