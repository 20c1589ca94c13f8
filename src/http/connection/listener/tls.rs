//! The certificate and key of TLS listeners, read again when their files change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use crate::config::Tls;
use crate::config::warn_if_readable_by_others;

/// Minimum time between two looks at the files. A connection that comes later looks first.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Error when the certificate or the key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read; check its path and its permissions.
    #[error("cannot read {}: {error} (tls.{setting})", path.display())]
    Unreadable {
        /// Name of the setting: `cert` or `key`.
        setting: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// A file does not have the form of a certificate or a key; use files in PEM form.
    #[error("{} has no {what} in PEM form: {error} (tls.{setting})", path.display())]
    NotPem {
        /// Name of the setting: `cert` or `key`.
        setting: &'static str,
        /// What was looked for.
        what: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// Error of the parser.
        error: pem::Error,
    },
    /// The key does not belong to the certificate, or has an unsupported form.
    #[error("cannot use the certificate {} with the key {}: {error}", cert.display(), key.display())]
    Unusable {
        /// Path of the certificate.
        cert: PathBuf,
        /// Path of the key.
        key: PathBuf,
        /// Error of the TLS library.
        error: rustls::Error,
    },
    /// The TLS library cannot be configured.
    #[error("cannot configure TLS: {0}")]
    Config(rustls::Error),
}

/// The certificate and key for TLS listeners. All of them share it.
#[derive(Debug)]
pub struct TlsFiles {
    files: Tls,
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
    looked: Mutex<Looked>,
}

/// The latest look at the files.
#[derive(Debug)]
struct Looked {
    at: Instant,
    /// What the files contained, or how they could not be read.
    contents: Result<[u8; 32], io::ErrorKind>,
}

/// The certificate that new connections get.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl TlsFiles {
    /// Reads the files. Logs a warning if every user may read the key.
    ///
    /// # Errors
    /// Returns a [`TlsError`] if a file cannot be used.
    pub fn open(files: &Tls) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let contents = Contents::read(files)?;
        let certified = contents.certified(files, &provider)?;
        warn_if_readable_by_others(&files.key, "the private key");
        let current = Arc::new(Current(RwLock::new(Arc::new(certified))));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Config)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let looked = Looked { at: Instant::now(), contents: Ok(contents.digest()) };
        Ok(Arc::new(Self {
            files: files.clone(),
            provider,
            current,
            config: Arc::new(config),
            looked: Mutex::new(looked),
        }))
    }

    /// Returns what accepts a connection, with the certificate that is in the files now.
    pub(in crate::http::connection) fn acceptor(&self) -> TlsAcceptor {
        self.reload_at(Instant::now());
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Reads the files again unless they were read a moment ago, and uses them if they have changed. If
    /// they cannot be used, the certificate and key from before stay, and a line is logged.
    fn reload_at(&self, now: Instant) {
        // Another thread that is just looking is enough.
        let Ok(mut looked) = self.looked.try_lock() else { return };
        if now.saturating_duration_since(looked.at) < CHECK_INTERVAL {
            return;
        }
        looked.at = now;
        let read = Contents::read(&self.files);
        let contents = match &read {
            Ok(contents) => Ok(contents.digest()),
            Err(error) => Err(error.kind()),
        };
        if std::mem::replace(&mut looked.contents, contents) == contents {
            return;
        }
        let certified = read.and_then(|read| read.certified(&self.files, &self.provider));
        match certified {
            Ok(certified) => {
                *self.current.0.write().unwrap_or_else(PoisonError::into_inner) =
                    Arc::new(certified);
                tracing::info!(cert = %self.files.cert.display(), "the new certificate is used");
            }
            Err(error) => tracing::warn!(
                %error,
                "the certificate files have changed and cannot be used; the server keeps the \
                 certificate from before"
            ),
        }
    }
}

impl TlsError {
    /// Returns the kind of the error of the operating system.
    fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Unreadable { error, .. } => error.kind(),
            Self::NotPem { .. } | Self::Unusable { .. } | Self::Config(_) => {
                io::ErrorKind::InvalidData
            }
        }
    }
}

/// The bytes of both files.
struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    fn read(files: &Tls) -> Result<Self, TlsError> {
        let read = |setting, path: &PathBuf| {
            let unreadable = |error| TlsError::Unreadable { setting, path: path.clone(), error };
            fs::read(path).map_err(unreadable)
        };
        Ok(Self { cert: read("cert", &files.cert)?, key: read("key", &files.key)? })
    }

    fn digest(&self) -> [u8; 32] {
        let digests = [&self.cert, &self.key].map(Sha256::digest);
        Sha256::digest(digests.concat()).into()
    }

    /// Parses the certificates and the key, and checks that they belong together.
    fn certified(&self, files: &Tls, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let certificates = CertificateDer::pem_slice_iter(&self.cert)
            .collect::<Result<Vec<_>, _>>()
            .and_then(
                |found| if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) },
            )
            .map_err(|error| not_pem("cert", "certificate", &files.cert, error))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| not_pem("key", "private key", &files.key, error))?;
        CertifiedKey::from_der(certificates, key, provider).map_err(|error| TlsError::Unusable {
            cert: files.cert.clone(),
            key: files.key.clone(),
            error,
        })
    }
}

fn not_pem(setting: &'static str, what: &'static str, path: &Path, error: pem::Error) -> TlsError {
    TlsError::NotPem { setting, what, path: path.into(), error }
}
