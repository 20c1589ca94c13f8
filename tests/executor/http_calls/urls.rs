//! URLs of `http` jobs and providers: what is dialled and sent for each way to write one.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use longshore::job::Json;
use serde_json::json;

use crate::harness::*;
use crate::kit::http::response;
use crate::server::*;

/// Calls `url` with `PORT` replaced by the port of a server. Returns the first line of the request
/// and its `Host` header without the port.
async fn request_of(url: &str) -> (String, String) {
    let (server, mut seen) = start_server(response("200 OK", "", ""));
    let port = server.rsplit(':').next().unwrap();
    let payload = json!({"url": url.replace("PORT", port)});
    completed(run(&registry(), "http", payload).await);
    let (_, request) = soon(seen.recv()).await.unwrap();
    let host = request.header("host").unwrap();
    (request.line(), host.strip_suffix(&format!(":{port}")).unwrap().to_owned())
}

#[actix_web::test]
async fn the_request_target_is_in_its_normal_form() {
    for (url, line) in [
        ("http://127.0.0.1:PORT?token=abc", "GET /?token=abc HTTP/1.1"),
        ("http://127.0.0.1:PORT", "GET / HTTP/1.1"),
        ("http://127.0.0.1:PORT#part", "GET / HTTP/1.1"),
        ("http://127.0.0.1:PORT?", "GET /? HTTP/1.1"),
        ("http://127.0.0.1:PORT/a/../b/./c#d", "GET /b/c HTTP/1.1"),
        ("http://127.0.0.1:PORT/%2e%2e/a%2Fb", "GET /a%2Fb HTTP/1.1"),
        ("http://127.0.0.1:PORT/a b?c d=ä", "GET /a%20b?c%20d=%C3%A4 HTTP/1.1"),
        ("http://127.0.0.1:PORT\\a\\b", "GET /a/b HTTP/1.1"),
        ("http://127.0.0.1:PORT/x?url=http://a/?b#c", "GET /x?url=http://a/?b HTTP/1.1"),
    ] {
        assert_eq!(request_of(url).await.0, line, "{url}");
    }
}

#[actix_web::test]
async fn an_odd_form_of_an_address_is_dialled_and_named_in_its_normal_form() {
    for host in [
        "127.1",
        "0x7f.1",
        "0x7F000001",
        "2130706433",
        "017700000001",
        "127.0.0.1.",
        "１２７.0.0.1",
        "%31%32%37.0.0.1",
        "LOCALHOST",
    ] {
        let expected = if host == "LOCALHOST" { "localhost" } else { "127.0.0.1" };
        let (line, seen_host) = request_of(&format!("HTTP://{host}:PORT/")).await;
        assert_eq!((&*line, &*seen_host), ("GET / HTTP/1.1", expected), "{host}");
    }
}

#[actix_web::test]
async fn a_host_of_another_alphabet_is_resolved_as_punycode() {
    let payload = json!({"url": "http://bücher.invalid/"});
    let error = retryable(run(&registry(), "http", payload).await);
    assert_eq!(error.code, "connection");
    assert!(error.message.contains("xn--bcher-kva.invalid"), "{}", error.message);
}

#[actix_web::test]
async fn an_ipv6_address_is_dialled_with_and_without_a_default_port() {
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("http://[0:0::0001]:{port}/");
    let error = retryable(run(&registry(), "http", json!({"url": url})).await);
    assert!(error.message.contains(&format!("[::1]:{port}")), "{}", error.message);
    assert!(error.message.contains("refused"), "{}", error.message);
}

#[actix_web::test]
async fn the_payload_keeps_the_url_as_it_was_written() {
    let payload = Json::checked(r#"{ "url" : "http://0x7f.1:80/a b/../c" }"#).unwrap();
    assert_eq!(registry().check("http", &payload), Ok(None));
    assert_eq!(payload.as_str(), r#"{ "url" : "http://0x7f.1:80/a b/../c" }"#);
}

#[actix_web::test]
async fn the_base_url_of_a_provider_is_brought_into_its_normal_form() {
    let answer = r#"{"choices": [{"message": {"content": "x"}}]}"#;
    let (server, mut seen) = start_server(response("200 OK", "", answer));
    let port = server.rsplit(':').next().unwrap().parse::<u16>().unwrap();
    for (base_url, line) in [
        ("HTTP://0x7f.1:PORT", "POST /chat/completions HTTP/1.1"),
        ("http://2130706433:PORT/a/../v1//", "POST /v1/chat/completions HTTP/1.1"),
        ("http://127.1:PORT/my models/", "POST /my%20models/chat/completions HTTP/1.1"),
    ] {
        completed(ask(&base_url.replace("PORT", &port.to_string())).await);
        let (_, request) = soon(seen.recv()).await.unwrap();
        assert_eq!(request.line(), line, "{base_url}");
        let expected = SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string();
        assert_eq!(request.header("host"), Some(&*expected), "{base_url}");
    }
}
