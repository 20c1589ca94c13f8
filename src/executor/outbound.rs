//! Calls to other servers: the one place that builds awc clients.
//!
//! A client belongs to its thread, so each thread has its own. What is set against awc's defaults,
//! and why:
//!
//! - No redirects: awc would carry the job's own headers, keys among them, to another host.
//! - No time limit of awc's: it covers the response head only. The attempt's deadline covers all.
//! - HTTP/1.1 only: awc uses an HTTP/2 connection for one call at a time, and as it drops one it
//!   sends a request of its own to the server.
//! - A connection is used again only within a second after its last call. Servers close idle ones
//!   after 2 s (gunicorn), 5 s (Node, uvicorn, actix-web) or later; a request sent just then fails
//!   though nobody did anything wrong, and it cannot be repeated unseen, for it may have arrived.
//! - A client lives for 15 s and then makes room for a new one, which closes its idle
//!   connections: awc itself closes none of a host that is not called again.

mod answer;
mod call;
mod exchange;
mod head;
mod refusal;
mod rest;
mod retry_after;
mod socket;
mod stream;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use awc::http::uri::Scheme;
use awc::http::{Method, Uri};
use awc::{Client, ClientRequest, Connector};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};

use crate::config::OutboundConfig;

pub(super) use answer::Answer;
pub(super) use call::Call;

/// How long an idle connection is fit for another call.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// How long a client, and with it its idle connections, is kept.
const CLIENT_LIFE: Duration = Duration::from_secs(15);
/// Where `https` is served unless a URL says otherwise.
const HTTPS_PORT: u16 = 443;
/// What calls say of who makes them.
const USER_AGENT: &str = concat!("longshore/", env!("CARGO_PKG_VERSION"));

/// Why no calls can be made.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The file of certificates cannot be read, or is not PEM; mend `outbound.ca_file`.
    #[error("cannot read certificates from {}: {error}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: pem::Error,
    },
    /// A certificate in the file cannot be trusted; mend `outbound.ca_file`.
    #[error("cannot trust a certificate of {}: {error}", path.display())]
    BadCertificate {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: rustls::Error,
    },
    /// The file holds no certificate; mend `outbound.ca_file`.
    #[error("there is no certificate in {}", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// The cryptography does not offer what TLS needs.
    #[error("cannot set up TLS: {0}")]
    Tls(rustls::Error),
}

thread_local! {
    /// The clients of this thread, by the number of their [`Outbound`] and whether they use TLS.
    static CLIENTS: RefCell<HashMap<(u64, bool), Client>> = RefCell::default();
}

/// Makes calls to other servers; shared by all threads.
pub struct Outbound {
    number: u64,
    connect_timeout: Duration,
    max_connections: usize,
    client_life: Duration,
    tls: Arc<ClientConfig>,
}

impl Outbound {
    /// Reads the certificates.
    pub(super) fn new(config: &OutboundConfig) -> Result<Self, OutboundError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        install_crypto();
        Ok(Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            connect_timeout: config.connect_timeout.duration(),
            max_connections: config.max_connections,
            client_life: CLIENT_LIFE,
            tls: Arc::new(tls(config)?),
        })
    }

    /// A request to an absolute URL.
    ///
    /// Our connections bring TLS with them, and so awc is told of `http` only.
    fn request(&self, method: Method, uri: Uri) -> ClientRequest {
        if uri.scheme() == Some(&Scheme::HTTPS) {
            self.client(true).request(method, without_tls(uri))
        } else {
            self.client(false).request(method, uri)
        }
    }

    /// The client of this thread.
    fn client(&self, has_tls: bool) -> Client {
        let key = (self.number, has_tls);
        let known = CLIENTS.with_borrow(|clients| clients.get(&key).cloned());
        known.unwrap_or_else(|| {
            let client = self.build(has_tls);
            CLIENTS.with_borrow_mut(|clients| clients.insert(key, client.clone()));
            let life = self.client_life;
            actix_rt::spawn(async move {
                tokio::time::sleep(life).await;
                CLIENTS.with_borrow_mut(|clients| clients.remove(&key));
            });
            client
        })
    }

    fn build(&self, has_tls: bool) -> Client {
        let tls = has_tls.then(|| Arc::clone(&self.tls));
        let connector = Connector::new()
            .connector(stream::connector(tls))
            .timeout(self.connect_timeout)
            .limit(self.max_connections)
            .conn_keep_alive(KEEP_ALIVE)
            .conn_lifetime(CLIENT_LIFE);
        Client::builder()
            .connector(connector)
            .disable_timeout()
            .disable_redirects()
            .no_default_headers()
            .add_default_header(("user-agent", USER_AGENT))
            // Nothing here unpacks an answer, so that its bound is that of what came.
            .add_default_header(("accept-encoding", "identity"))
            .finish()
    }
}

/// The same URL with `http` for `https`, and the port spelled out that goes with the latter.
fn without_tls(uri: Uri) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    if let Some(authority) = parts.authority.take_if(|authority| authority.port().is_none()) {
        parts.authority = format!("{authority}:{HTTPS_PORT}").parse().ok();
    }
    Uri::from_parts(parts).unwrap_or(uri)
}

/// Chooses ring for the whole process unless something is chosen: awc panics without.
fn install_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error means that another thread was faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

fn tls(config: &OutboundConfig) -> Result<ClientConfig, OutboundError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = &config.ca_file {
        trust(path, &mut roots)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(OutboundError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

fn trust(path: &PathBuf, roots: &mut RootCertStore) -> Result<(), OutboundError> {
    let unreadable = |error| OutboundError::Unreadable { path: path.clone(), error };
    let mut is_empty = true;
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        let certificate = certificate.map_err(unreadable)?;
        let bad = |error| OutboundError::BadCertificate { path: path.clone(), error };
        roots.add(certificate).map_err(bad)?;
        is_empty = false;
    }
    if is_empty { Err(OutboundError::Empty { path: path.clone() }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use awc::http::Method;
    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn a_url_without_tls_names_the_same_server() {
        let urls = [
            ("https://host/a?b", "http://host:443/a?b"),
            ("https://host:8443/", "http://host:8443/"),
            ("https://[::1]", "http://[::1]:443/"),
        ];
        for (with, without) in urls {
            assert_eq!(without_tls(with.parse().unwrap()).to_string(), without);
        }
    }

    #[actix_web::test]
    async fn a_call_that_outlives_its_client_is_whole() {
        let life = Duration::from_millis(20);
        let outbound = Outbound::new(&OutboundConfig::default()).unwrap();
        let outbound = Outbound { client_life: life, ..outbound };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        actix_rt::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            while CLIENTS.with_borrow(|clients| !clients.is_empty()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let answer =
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            // The connection stays open, as the client expects.
            std::future::pending::<()>().await;
        });
        let call = Call { method: Method::GET, uri, headers: Vec::new(), body: Bytes::new() };
        let answer = outbound.call(call, 100).await.unwrap_or_else(|outcome| panic!("{outcome:?}"));
        assert_eq!(answer.body.bytes, b"x");
    }
}
