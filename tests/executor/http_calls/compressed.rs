//! Responses with a content coding, although none was asked for.

use std::io::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use longshore::job::outcome::Outcome;
use serde_json::{Value, json};

use crate::harness::*;
use crate::kit::http::response;
use crate::server::*;

const JSON: &str = r#"{"choices": [{"message": {"content": "ä"}}]}"#;

pub(super) fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Returns a brotli stream with one uncompressed meta-block (RFC 7932, section 9.2) of at most 64 KiB.
fn brotli(data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len() - 1).unwrap();
    assert!(length < 65_536);
    // Bits, lowest first: WBITS = 0, ISLAST = 0, MNIBBLES = 0 (2 bits), MLEN - 1 (16 bits),
    // ISUNCOMPRESSED = 1. The last byte is an empty last meta-block.
    let header = (length << 4 | 1 << 20).to_le_bytes();
    [&header[..3], data, &[3]].concat()
}

/// A brotli stream of another encoder, which is [`JSON`] with more words.
const BROTLI_ANSWER: &str =
    "G9EBAJwHdizHcjxQFMw1nx+h0ltky2xvg+iQDquuvnrDc8oFjG0tT5IAT8pPYYG6skRV77ktlhHICuauMUkF1CdNwFk=";
/// A brotli stream of 64 MiB of the digit 0, made by the same encoder.
const BROTLI_BOMB: &str = "y///P/glYOKxQCD3/o///3/wSwDEYRGA7v0f////4JcAiMMCAN37P/7//8EvARCHBQC693/8//+DXwIgDgsAdO//+P//B78EQBwWAOje//H//w9+CYA4LADQvf/L//8//BIAcVgAoHv/Bw==";

pub(super) fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    let headers = format!("content-type: application/json\r\ncontent-encoding: {coding}\r\n");
    response("200 OK", &headers, body)
}

/// Returns the outcome of an `http` job and of a `chat` job with this response.
pub(super) async fn outcomes_of(response: Vec<u8>, max_result_bytes: usize) -> (Outcome, Outcome) {
    let (url, _seen) = start_server(response);
    let mut config = config_of_model(&url);
    config.limits.max_result_bytes = max_result_bytes;
    let registry = registry_of(&config);
    let http = run(&registry, "http", json!({"url": url})).await;
    (http, run(&registry, "chat", chat_question()).await)
}

const MAX_BYTES: usize = 1 << 20;

#[actix_web::test]
async fn each_coding_is_decoded() {
    let text = JSON.as_bytes();
    let two_members = [gzip(&text[..20]), gzip(&text[20..])].concat();
    for (coding, body) in [
        ("gzip", gzip(text)),
        ("GZip", gzip(text)),
        ("x-gzip", gzip(text)),
        ("deflate", zlib(text)),
        ("deflate", raw_deflate(text)),
        ("br", brotli(text)),
        ("gzip, br", brotli(&gzip(text))),
        ("br ,\tgzip", gzip(&brotli(text))),
        ("gzip\r\ncontent-encoding: deflate", zlib(&gzip(text))),
        ("identity", text.to_vec()),
        ("identity, gzip", gzip(text)),
        ("", text.to_vec()),
        ("gzip", two_members),
        // Bytes after the end of the stream are ignored.
        ("gzip", [&gzip(text)[..], b"garbage"].concat()),
        ("gzip", [&gzip(text)[..], &[0; 512]].concat()),
        ("deflate", [&zlib(text)[..], b"garbage"].concat()),
        ("br", [&brotli(text)[..], b"garbage"].concat()),
        // The server only says that the body is compressed.
        ("gzip", text.to_vec()),
        ("deflate", text.to_vec()),
        ("br", text.to_vec()),
    ] {
        let (http, chat) = outcomes_of(coded(coding, &body), MAX_BYTES).await;
        let expected: Value = serde_json::from_str(JSON).unwrap();
        assert_eq!(completed(http)["body"], expected, "{coding}");
        assert_eq!(job_result(chat).json.as_str(), JSON, "{coding}");
    }
    let answer = BASE64_STANDARD.decode(BROTLI_ANSWER).unwrap();
    let (http, _) = outcomes_of(coded("br", &answer), MAX_BYTES).await;
    let result = completed(http);
    let content = result["body"]["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(content.starts_with("äää the quick brown fox "), "{content}");
}

#[actix_web::test]
async fn a_body_that_contradicts_its_coding_fails_at_once() {
    let numbers: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
    let text = JSON.replace('ä', &numbers.join(" ")).into_bytes();
    let cut = |mut body: Vec<u8>| {
        body.truncate(body.len() / 2);
        body
    };
    let mut corrupt = gzip(&text);
    corrupt[30] ^= 0xff;
    for (coding, body) in [
        ("gzip", cut(gzip(&text))),
        ("deflate", cut(zlib(&text))),
        ("deflate", cut(raw_deflate(&text))),
        ("br", cut(brotli(&text))),
        ("gzip", corrupt),
        ("gzip", vec![0x1f, 0x8b, 0xff, 0xff]),
        ("gzip, br", brotli(b"\x00\x01\x02")),
        ("br", vec![0xff; 100]),
    ] {
        let (http, chat) = outcomes_of(coded(coding, &body), MAX_BYTES).await;
        for outcome in [http, chat] {
            let error = fatal(outcome);
            assert_eq!(error.code, "bad_answer", "{coding}: {}", error.message);
            assert!(error.message.contains("is not valid"), "{}", error.message);
        }
    }
}

#[actix_web::test]
async fn a_complete_answer_without_the_checksum_of_its_coding_is_read() {
    let mut body = gzip(JSON.as_bytes());
    body.truncate(body.len() - 8);
    let (_, chat) = outcomes_of(coded("gzip", &body), MAX_BYTES).await;
    assert_eq!(job_result(chat).json.as_str(), JSON);
    // The same if a second answer, which nobody needs, is cut.
    let mut body = gzip(JSON.repeat(50).as_bytes());
    body.truncate(body.len() - 10);
    let (http, chat) = outcomes_of(coded("gzip", &body), MAX_BYTES).await;
    assert_eq!(job_result(chat).json.as_str(), JSON);
    assert_eq!(fatal(http).code, "bad_answer");
}

#[actix_web::test]
async fn an_unknown_coding_is_part_of_an_http_result_and_fails_a_chat_job() {
    let (http, chat) = outcomes_of(coded("zstd", &[0x28, 0xb5, 0x2f, 0xfd]), MAX_BYTES).await;
    let result = completed(http);
    assert_eq!((&result["body"], &result["body_encoding"]), (&json!("KLUv/Q=="), &json!("base64")));
    assert_eq!(result["headers"]["content-encoding"], "zstd");
    let error = fatal(chat);
    assert_eq!(error.message, "the content coding zstd is not supported");
    // A wrong label does not matter if the answer can be read.
    let (_, chat) = outcomes_of(coded("utf-8", JSON.as_bytes()), MAX_BYTES).await;
    assert_eq!(job_result(chat).json.as_str(), JSON);
}

#[actix_web::test]
async fn a_decompression_bomb_is_cut_at_the_limit() {
    let zeros = vec![b'0'; 16 << 20];
    let bomb = gzip(&zeros);
    let twice = gzip(&bomb);
    let empty_members = gzip(b"").repeat(1_000);
    for (coding, body) in [
        ("gzip", bomb.clone()),
        ("gzip, gzip", twice),
        ("deflate", zlib(&zeros)),
        ("br", BASE64_STANDARD.decode(BROTLI_BOMB).unwrap()),
    ] {
        let (http, chat) = outcomes_of(coded(coding, &body), 10_000).await;
        for outcome in [http, chat] {
            let result = job_result(outcome);
            assert!(result.truncated, "{coding}");
            let len = result.json.as_str().len();
            assert!((9_000..=10_000).contains(&len), "{coding}: {len}");
        }
    }
    let (http, _) = outcomes_of(coded("gzip", &empty_members), 1_000).await;
    assert_eq!(completed(http)["body"], Value::Null);
    let deep = coded("gzip,gzip,gzip,gzip,gzip", &bomb);
    let (_, chat) = outcomes_of(deep, 10_000).await;
    assert!(fatal(chat).message.contains("is not supported"));
}

#[actix_web::test]
async fn an_incompressible_body_within_the_limit_is_complete() {
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'!' + u8::try_from(state >> 24).unwrap() % 90
    })
    .take(100_000)
    .collect();
    let (http, _) = outcomes_of(coded("br", &brotli(&noise[..60_000])), 200_000).await;
    assert_eq!(completed(http)["body"].as_str().unwrap().len(), 60_000);
    let (http, _) = outcomes_of(coded("gzip", &gzip(&noise)), 200_000).await;
    assert_eq!(completed(http)["body"].as_str().unwrap().len(), 100_000);
}

#[actix_web::test]
async fn a_broken_connection_is_retried_whatever_the_coding_is() {
    let whole = gzip(JSON.repeat(50).as_bytes());
    let length = whole.len();
    for head in [
        format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n\r\n"),
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n".into(),
    ] {
        let half = whole[..length / 2].to_vec();
        let url = listen(move |caller, _| {
            caller.send(&head);
            caller.send(&half);
            caller.disconnect();
        });
        let error = retryable(run(&registry(), "http", json!({"url": url})).await);
        assert_eq!(error.code, "connection", "{}", error.message);
    }
}

#[actix_web::test]
async fn a_compressed_error_body_is_readable_in_the_message() {
    let body = gzip(b"{\"error\": \"no such page\"}");
    let refused = response("404 Not Found", "content-encoding: gzip\r\n", body);
    let (http, chat) = outcomes_of(refused, MAX_BYTES).await;
    for outcome in [http, chat] {
        let error = fatal(outcome);
        assert!(error.message.contains("no such page"), "{}", error.message);
    }
}

#[actix_web::test]
async fn a_response_without_a_body_is_not_decoded() {
    let (url, _seen) =
        start_server("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\n");
    let head = json!({"url": url, "method": "HEAD"});
    assert_eq!(completed(run(&registry(), "http", head).await)["body"], Value::Null);
    let (http, _) = outcomes_of(coded("gzip", b""), MAX_BYTES).await;
    assert_eq!(completed(http)["body"], Value::Null);
}
