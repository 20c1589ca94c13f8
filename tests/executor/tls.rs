//! Calls over TLS. The certificates in `tls/` are for these tests only. The key that signed them
//! was deleted.

use std::io::{BufReader, ErrorKind, Write};
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

use crate::harness::*;
use crate::kit::http::{Request, json_response};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/executor/tls").join(name)
}

fn config_trusting(ca_file: Option<PathBuf>) -> Config {
    let mut config = config();
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

/// Responds to one request, sends a TLS `close_notify`, and closes the connection.
fn serve_one(config: Arc<ServerConfig>, stream: TcpStream, response: &[u8]) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    Request::read(&mut stream).ok_or(ErrorKind::UnexpectedEof)?;
    let stream = stream.get_mut();
    stream.write_all(response)?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// Starts a TLS server that sends the same response for every request. Returns its URL.
fn listen(response: Vec<u8>) -> String {
    listen_on("127.0.0.1:0", response)
}

/// Starts a TLS server on this address that sends the same response for every request. Returns its
/// URL.
fn listen_on(addr: &str, response: Vec<u8>) -> String {
    let listener = TcpListener::bind(addr).unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let config = server_config();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // This fails if the client does not trust the certificate.
            let _ = serve_one(Arc::clone(&config), stream.unwrap(), &response);
        }
    });
    url
}

async fn outcome_of(response: impl Into<Vec<u8>>, config: &Config) -> Outcome {
    run(&registry_of(config), "http", json!({"url": listen(response.into())})).await
}

#[actix_web::test]
async fn a_private_authority_is_trusted_only_if_it_is_configured() {
    let outcome = outcome_of(json_response("[1]"), &config_trusting(Some(file("ca.pem")))).await;
    assert_eq!(completed(outcome)["body"], json!([1]));
    let error = retryable(outcome_of(json_response("[1]"), &config_trusting(None)).await);
    assert_eq!(error.code, "connection");
    assert!(error.message.contains("certificate"), "{}", error.message);
}

#[actix_web::test]
async fn a_chunked_response_cut_off_by_close_notify_is_not_a_result() {
    let config = config_trusting(Some(file("ca.pem")));
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n";
    assert_eq!(retryable(outcome_of(head, &config).await).code, "connection");
    let outcome = outcome_of(format!("{head}0\r\n\r\n"), &config).await;
    assert_eq!(completed(outcome)["body"], json!(12345));
}

#[actix_web::test]
async fn interim_heads_and_bodies_without_a_length_work_over_tls() {
    let config = config_trusting(Some(file("ca.pem")));
    let hints = "HTTP/1.1 103 Early Hints\r\n\r\n";
    let framed = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n[1]";
    let unframed = "HTTP/1.1 200 OK\r\n\r\n[1]";
    for response in [format!("{hints}{framed}"), unframed.into(), format!("{hints}{unframed}")] {
        let result = completed(outcome_of(response, &config).await);
        assert_eq!((&result["status"], &result["body"]), (&json!(200), &json!([1])));
    }
}

#[actix_web::test]
async fn the_certificate_is_checked_against_the_normalised_host() {
    let registry = registry_of(&config_trusting(Some(file("ca.pem"))));
    // The certificate is for 127.0.0.1.
    let url = listen(json_response("[1]")).replace("127.0.0.1", "0x7f.1");
    assert_eq!(completed(run(&registry, "http", json!({"url": url})).await)["body"], json!([1]));
    let url = listen_on("[::1]:0", json_response("[1]"));
    let error = retryable(run(&registry, "http", json!({"url": url})).await);
    assert!(error.message.contains("certificate not valid for name"), "{}", error.message);
    assert!(error.message.contains("::1"), "{}", error.message);
}

#[actix_web::test]
async fn tls_goes_through_the_tunnel_of_a_proxy_to_the_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap();
    let tunnels = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = BufReader::new(stream);
        let line = Request::read(&mut stream).unwrap().line();
        let mut stream = stream.into_inner();
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
        // This is the server as well, at the other end of the tunnel.
        serve_one(server_config(), stream, json_response("[1]").as_ref()).unwrap();
        line
    });
    let mut config = config_trusting(Some(file("ca.pem")));
    config.outbound.proxy = Some(format!("http://{proxy}"));
    let url = "https://127.0.0.1:9/";
    let result = completed(run(&registry_of(&config), "http", json!({"url": url})).await);
    assert_eq!(result["body"], json!([1]));
    assert_eq!(tunnels.join().unwrap(), "CONNECT 127.0.0.1:9 HTTP/1.1");
}

#[test]
fn unusable_certificates_are_reported_at_the_start() {
    for name in ["no-such-file.pem", "server.key"] {
        let error = Registry::new(&config_trusting(Some(file(name)))).err().unwrap();
        assert!(matches!(error, RegistryError::Outbound(_)), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}
