//! The files with which TCP listeners use TLS.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The certificate and the key of the server. With them every TCP listener uses TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of settings")]
pub struct Tls {
    /// Path of a PEM file with the certificate of the server, followed by those that clients need to trust it.
    pub cert: PathBuf,
    /// Path of a PEM file with the private key of the certificate.
    pub key: PathBuf,
}
