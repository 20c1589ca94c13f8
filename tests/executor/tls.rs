//! Calls over TLS. The certificates under `tls/` serve these tests only; the key that signed them is
//! gone.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore::config::Config;
use longshore::executor::{Registry, RegistryError};
use longshore::job::outcome::Outcome;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use crate::kit::*;
use crate::server::json_answer;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/executor/tls").join(name)
}

fn trusting(ca_file: Option<PathBuf>) -> Config {
    let mut config = Config::default();
    config.outbound.ca_file = ca_file;
    config
}

fn server_config() -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_file(file("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

/// Answers one request on each connection, says goodbye as TLS wants it, and closes.
fn answer_one(config: Arc<ServerConfig>, stream: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    stream.write_all(answer)?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// A server over TLS, and its URL.
fn listen(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let config = server_config();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that does not trust us leaves early.
            let _ = answer_one(Arc::clone(&config), stream.unwrap(), &answer);
        }
    });
    url
}

async fn outcome_of(answer: impl Into<Vec<u8>>, config: &Config) -> Outcome {
    run(&registry_of(config), "http", json!({"url": listen(answer.into())})).await
}

#[actix_web::test]
async fn a_configured_authority_is_trusted_and_no_other() {
    let outcome = outcome_of(json_answer("[1]"), &trusting(Some(file("ca.pem")))).await;
    assert_eq!(completed(outcome)["body"], json!([1]));
    let error = retryable(outcome_of(json_answer("[1]"), &trusting(None)).await);
    assert_eq!(error.code, "connection");
    assert!(error.message.contains("certificate"), "{}", error.message);
}

#[actix_web::test]
async fn a_chunked_answer_that_breaks_off_politely_is_no_result() {
    let config = trusting(Some(file("ca.pem")));
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n";
    assert_eq!(retryable(outcome_of(head, &config).await).code, "connection");
    let outcome = outcome_of(format!("{head}0\r\n\r\n"), &config).await;
    assert_eq!(completed(outcome)["body"], json!(12345));
}

#[actix_web::test]
async fn over_tls_too_an_interim_head_is_not_the_answer_and_a_body_may_end_with_the_connection() {
    let config = trusting(Some(file("ca.pem")));
    let hints = "HTTP/1.1 103 Early Hints\r\n\r\n";
    let framed = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n[1]";
    let unframed = "HTTP/1.1 200 OK\r\n\r\n[1]";
    for answer in [format!("{hints}{framed}"), unframed.into(), format!("{hints}{unframed}")] {
        let result = completed(outcome_of(answer, &config).await);
        assert_eq!((&result["status"], &result["body"]), (&json!(200), &json!([1])));
    }
}

#[test]
fn certificates_that_cannot_be_used_are_told_at_the_start() {
    for name in ["no-such-file.pem", "server.key"] {
        let error = Registry::new(&trusting(Some(file(name)))).err().unwrap();
        assert!(matches!(error, RegistryError::Outbound(_)), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}
