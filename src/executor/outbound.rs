//! HTTP calls to other servers. Only this module builds awc clients for jobs.
//!
//! An awc client belongs to one thread, so each thread has its own. These settings differ from
//! awc's defaults:
//!
//! - Redirects are not followed, because awc would send the job's own headers, including keys, to
//!   another host.
//! - awc's timeout is off, because it covers the response head only. The attempt's deadline covers
//!   the whole call.
//! - Only HTTP/1.1 is used. awc uses an HTTP/2 connection for one call at a time, and sends a
//!   request of its own to the server when it drops the connection.
//! - A connection is reused only within 1 s after its last call. Servers close idle connections
//!   after 2 s (gunicorn), 5 s (Node, uvicorn, actix-web) or later. A request that is sent at the
//!   moment at which the server closes the connection fails, and cannot be repeated safely, because
//!   it may have arrived.
//! - A client is replaced after 15 s, which closes its idle connections. awc itself never closes
//!   the idle connections of a host that is not called again.

mod body_framing;
mod body_text;
mod call;
mod content_coding;
mod detail;
mod exchange;
mod head;
mod identity;
mod network;
mod refusal;
mod response;
mod retry_after;
mod stream;
mod target;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[cfg(feature = "cli")]
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
#[cfg(feature = "cli")]
use actix_web::dev::Service;
#[cfg(feature = "cli")]
use awc::http::Uri;
use awc::http::Method;
use awc::http::header::HOST;
use awc::{Client, ClientRequest, Connector};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};

use crate::config::OutboundConfig;
use crate::job::outcome::Outcome;

pub(super) use call::{ADDRESS_NOT_ALLOWED, CONNECTION, Call};
pub(super) use content_coding::DecodeError;
pub(super) use network::{NotAllowed, OwnAddresses, host_limit};
pub(super) use refusal::BAD_ANSWER;
pub(super) use response::{PartialResponse, Response};
pub(super) use target::Target;

use network::{Policy, Proxy, Route};
use host_limit::{HostLimit, HostPermit};
use target::Caller;

/// Time for which an idle connection may be reused.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// Lifetime of a client and its idle connections.
const CLIENT_LIFETIME: Duration = Duration::from_secs(15);
/// Value of the `user-agent` header of every call.
const USER_AGENT: &str = concat!("longshore/", env!("CARGO_PKG_VERSION"));

/// Error when the HTTP client is set up.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The certificate file cannot be read or is not PEM; correct `outbound.ca_file`.
    #[error("cannot read certificates from {}: {error}", path.display())]
    Unreadable {
        /// Path of the certificate file.
        path: PathBuf,
        /// Error of the PEM parser.
        error: pem::Error,
    },
    /// A certificate in the file cannot be used as a trusted one; correct `outbound.ca_file`.
    #[error("cannot use a certificate in {}: {error}", path.display())]
    BadCertificate {
        /// Path of the certificate file.
        path: PathBuf,
        /// Error of the TLS library.
        error: rustls::Error,
    },
    /// The file contains no certificate; correct `outbound.ca_file`.
    #[error("{} contains no certificate", path.display())]
    Empty {
        /// Path of the certificate file.
        path: PathBuf,
    },
    /// The URL of the proxy is not valid; correct `outbound.proxy`.
    #[error("outbound.proxy {0}")]
    BadProxy(String),
    /// The cryptography provider does not support the required TLS versions.
    #[error("cannot set up TLS: {0}")]
    Tls(rustls::Error),
}

thread_local! {
    /// Clients of this thread.
    static CLIENTS: RefCell<HashMap<ClientKey, Client>> = RefCell::default();
}

/// What the calls of one client have in common. A connection is used only by the calls of its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ClientKey {
    /// Number of the [`Outbound`].
    outbound: u64,
    has_tls: bool,
    caller: Caller,
}

/// Makes calls to other servers. All threads share it.
pub struct Outbound {
    /// Number that identifies this value in the keys of [`CLIENTS`].
    number: u64,
    connect_timeout: Duration,
    max_connections: usize,
    client_lifetime: Duration,
    tls: Arc<ClientConfig>,
    policy: Arc<Policy>,
    host_limit: HostLimit,
    proxy: Option<Arc<Proxy>>,
}

impl Outbound {
    /// Reads the certificates and prepares TLS. No call reaches an address of `own`.
    pub(super) fn new(config: &OutboundConfig, own: OwnAddresses) -> Result<Self, OutboundError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        install_crypto();
        let proxy = config.egress_proxy().transpose();
        let proxy = proxy.map_err(|error| OutboundError::BadProxy(error.to_string()))?;
        Ok(Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            connect_timeout: config.connect_timeout.duration(),
            max_connections: config.max_connections,
            client_lifetime: CLIENT_LIFETIME,
            tls: Arc::new(client_tls(config.ca_file.as_deref())?),
            policy: Arc::new(Policy::new(config, own)),
            host_limit: HostLimit::new(config.max_calls_per_host),
            proxy: proxy
                .map(|address| Arc::new(Proxy::new(address, config.proxy_authorization()))),
        })
    }

    /// Checks a target as far as that is possible without resolving its host.
    ///
    /// # Errors
    /// Returns the reason, as it is shown, if calls to the target are refused.
    pub(super) fn check(&self, target: &Target) -> Result<(), NotAllowed> {
        self.policy.check(target.url.host(), target.url.port(), target.caller)
    }

    /// Waits shortly until the host of a target may be called.
    ///
    /// # Errors
    /// Returns the outcome of the attempt if too many calls to the host are under way. The attempt does not
    /// count, and its worker is free for jobs that call others.
    pub(super) async fn admit(&self, target: &Target) -> Result<HostPermit<'_>, Outcome> {
        let host = target.url.host();
        let permit = self.host_limit.acquire(host, host_limit::MAX_WAIT).await;
        permit.ok_or_else(|| host_limit::busy(host))
    }

    /// Returns a request to a target.
    fn request(&self, method: Method, target: &Target) -> ClientRequest {
        let client = self.client(target.has_tls, target.caller);
        // awc omits the ports 80 and 443 from the header, whatever the scheme is.
        client.request(method, target.uri.clone()).insert_header((HOST, target.host.clone()))
    }

    /// Returns this thread's client, and builds it if it does not exist.
    fn client(&self, has_tls: bool, caller: Caller) -> Client {
        let key = ClientKey { outbound: self.number, has_tls, caller };
        let known = CLIENTS.with_borrow(|clients| clients.get(&key).cloned());
        known.unwrap_or_else(|| {
            let client = self.build(has_tls, caller);
            CLIENTS.with_borrow_mut(|clients| clients.insert(key, client.clone()));
            let lifetime = self.client_lifetime;
            actix_rt::spawn(async move {
                tokio::time::sleep(lifetime).await;
                CLIENTS.with_borrow_mut(|clients| clients.remove(&key));
            });
            client
        })
    }

    /// Returns the way on which the connections of a caller are opened.
    fn route(&self, caller: Caller) -> Route {
        let policy = Arc::clone(&self.policy);
        match &self.proxy {
            Some(proxy) => Route::Proxied(policy, caller, Arc::clone(proxy)),
            None => Route::Checked(policy, caller),
        }
    }

    fn build(&self, has_tls: bool, caller: Caller) -> Client {
        let tls = has_tls.then(|| Arc::clone(&self.tls));
        let connector = Connector::new()
            .connector(stream::connector(self.route(caller), tls))
            .timeout(self.connect_timeout)
            .limit(self.max_connections)
            .conn_keep_alive(KEEP_ALIVE)
            .conn_lifetime(CLIENT_LIFETIME);
        Client::builder()
            .connector(connector)
            .disable_timeout()
            .disable_redirects()
            .no_default_headers()
            .add_default_header(("user-agent", USER_AGENT))
            // A compressed response saves little on most calls. It is decoded if it comes anyway.
            .add_default_header(("accept-encoding", "identity"))
            .finish()
    }
}

/// Installs ring as the cryptography provider of the process if none is installed. awc panics
/// without one.
fn install_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error means that another thread has installed one in the meantime.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// Returns the TLS configuration of a client: it trusts the public root certificates and those in `ca_file`,
/// and speaks HTTP/1.1 only.
fn client_tls(ca_file: Option<&Path>) -> Result<ClientConfig, OutboundError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = ca_file {
        add_certificates(path, &mut roots)?;
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

/// Returns what connects a client of awc to servers over TLS. The scheme of its URLs must be `http`, since
/// TLS is below what awc sees.
#[cfg(feature = "cli")]
pub(crate) fn tls_connector(
    ca_file: Option<&Path>,
) -> Result<
    impl Service<ConnectInfo<Uri>, Response = Connection<Uri, stream::Stream>, Error = ConnectError>
    + Clone
    + 'static,
    OutboundError,
> {
    Ok(stream::connector(Route::Any, Some(Arc::new(client_tls(ca_file)?))))
}

/// Adds the certificates of a PEM file to the trusted ones.
fn add_certificates(path: &Path, roots: &mut RootCertStore) -> Result<(), OutboundError> {
    let unreadable = |error| OutboundError::Unreadable { path: path.into(), error };
    let mut is_empty = true;
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        let certificate = certificate.map_err(unreadable)?;
        let unusable = |error| OutboundError::BadCertificate { path: path.into(), error };
        roots.add(certificate).map_err(unusable)?;
        is_empty = false;
    }
    if is_empty { Err(OutboundError::Empty { path: path.into() }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use awc::http::Method;
    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::job::outcome::Outcome;

    #[actix_web::test]
    async fn a_connection_of_a_provider_is_not_used_for_another_job() {
        let outbound = Outbound::new(&OutboundConfig::default(), OwnAddresses::default()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        actix_rt::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1_024];
            while stream.read(&mut request).await.is_ok_and(|len| len > 0) {
                let response = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx";
                stream.write_all(response).await.unwrap();
            }
        });
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        let partial = PartialResponse::default();
        let call = |target| Call {
            method: Method::GET,
            target,
            headers: Vec::new(),
            credentials: Vec::new(),
            body: Bytes::new(),
        };
        let target = Target::parse(&url).unwrap();
        for _ in 0..2 {
            let of_provider = call(target.clone().for_provider());
            let response = outbound.call(of_provider, 100, deadline, &partial).await;
            assert!(response.is_ok());
            let refused = outbound.call(call(target.clone()), 100, deadline, &partial).await.err();
            assert_eq!(
                refused.unwrap(),
                Outcome::fatal("address_not_allowed", NotAllowed.to_string())
            );
        }
    }

    #[actix_web::test]
    async fn a_call_that_outlives_its_client_completes() {
        let lifetime = Duration::from_millis(20);
        let config = OutboundConfig {
            allow_networks: vec!["127.0.0.1".parse().unwrap()],
            ..OutboundConfig::default()
        };
        let outbound = Outbound::new(&config, OwnAddresses::default()).unwrap();
        let outbound = Outbound { client_lifetime: lifetime, ..outbound };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        actix_rt::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            while CLIENTS.with_borrow(|clients| !clients.is_empty()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let response =
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
            stream.write_all(response).await.unwrap();
            // The connection stays open, as the client expects.
            std::future::pending::<()>().await;
        });
        let partial = PartialResponse::default();
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        let call = Call {
            method: Method::GET,
            target: Target::parse(&url).unwrap(),
            headers: Vec::new(),
            credentials: Vec::new(),
            body: Bytes::new(),
        };
        let response =
            outbound.call(call, 100, deadline, &partial).await.unwrap_or_else(|outcome| panic!("{outcome:?}"));
        assert_eq!(response.body.bytes, b"x");
    }
}
