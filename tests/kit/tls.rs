//! Certificates for TLS, and a client. The certificates in `tls/` are for these tests only: `first` and
//! `second` are for 127.0.0.1, ::1, 10.77.0.1, `localhost` and `jobs.example`, and the key of their
//! authority was deleted.

use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sha2::{Digest, Sha256};

use crate::kit::{Connection, TEST_TIMEOUT};

/// A TLS connection.
pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Returns the path of a file in `tls/`.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kit/tls").join(name)
}

/// Copies a certificate and its key to `cert.pem` and `key.pem` in a directory, and returns the
/// configuration that uses them.
pub(crate) fn install(pair: &str, directory: &Path) -> String {
    for (source, name) in [("pem", "cert.pem"), ("key", "key.pem")] {
        let (new, path) = (directory.join("new"), directory.join(name));
        fs::copy(file(&format!("{pair}.{source}")), &new).unwrap();
        fs::set_permissions(&new, Permissions::from_mode(0o600)).unwrap();
        fs::rename(&new, path).unwrap();
    }
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    format!("[tls]\ncert = '{}'\nkey = '{}'\n", path("cert.pem"), path("key.pem"))
}

/// Connects with TLS, trusting the authority of the tests, and completes the handshake.
pub(crate) fn connect(addr: SocketAddr) -> io::Result<Tls> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("ca.pem")).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::from(addr.ip());
    let client = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let tcp = TcpStream::connect(addr)?;
    tcp.set_read_timeout(Some(TEST_TIMEOUT))?;
    let mut tls = StreamOwned::new(client, tcp);
    while tls.conn.is_handshaking() {
        tls.conn.complete_io(&mut tls.sock)?;
    }
    Ok(tls)
}

/// Opens an HTTP connection over TLS.
pub(crate) fn open(addr: SocketAddr) -> Connection {
    Connection::over(connect(addr).unwrap(), &addr.to_string())
}

/// Returns the pair whose certificate a server uses: `first` or `second`.
pub(crate) fn certificate_of(addr: SocketAddr) -> &'static str {
    let tls = connect(addr).unwrap();
    let used = &tls.conn.peer_certificates().unwrap()[0];
    let is_used =
        |pair: &&str| CertificateDer::from_pem_file(file(&format!("{pair}.pem"))).unwrap() == *used;
    ["first", "second"].into_iter().find(is_used).unwrap()
}

/// Returns the SHA-256 of the public key of a certificate in base 64. With it, a browser trusts that key.
pub(crate) fn public_key_hash(pair: &str) -> String {
    let certificate = CertificateDer::from_pem_file(file(&format!("{pair}.pem"))).unwrap();
    let key = ParsedCertificate::try_from(&certificate).unwrap().subject_public_key_info();
    base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&key))
}
