//! Connects to a server: over TCP, TLS or a Unix socket.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use actix_web::dev::fn_service;
use actix_web::http::header::HOST;
use awc::http::Uri;
use awc::{Client, Connector};
use tokio::net::UnixStream;

use crate::cli::error::CliError;
use crate::config::HttpUrl;
use crate::executor::client_tls;

/// Maximum time to establish a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Prefix of the URL of a Unix socket.
pub(crate) const UNIX: &str = "unix:";

/// Returns a client for the server at `base_url`, which trusts the certificates in `ca` as well.
pub(super) fn client(base_url: &str, ca: Option<&Path>) -> Result<Client, CliError> {
    if let Some(path) = base_url.strip_prefix(UNIX) {
        return Ok(unix_client(path.into()));
    }
    let mut connector = Connector::new().timeout(CONNECT_TIMEOUT);
    let mut builder = Client::builder().disable_redirects();
    if let Ok(url) = HttpUrl::parse_base(base_url) {
        if url.is_https() {
            let tls = client_tls(ca).map_err(|error| CliError::Usage(format!("--ca: {error}")))?;
            connector = connector.rustls_0_23(Arc::new(tls));
        }
        // awc omits the ports 80 and 443 from the header, whatever the scheme is.
        builder = builder.add_default_header((HOST, url.authority()));
    }
    Ok(builder.connector(connector).finish())
}

/// Returns a client that sends every request to a Unix socket.
fn unix_client(path: PathBuf) -> Client {
    let connect = fn_service(move |info: ConnectInfo<Uri>| {
        let path = path.clone();
        async move {
            let socket = UnixStream::connect(path).await.map_err(ConnectError::Io)?;
            Ok::<_, ConnectError>(Connection::new(info.request().clone(), socket))
        }
    });
    let connector = Connector::new().connector(connect).timeout(CONNECT_TIMEOUT);
    Client::builder().disable_redirects().connector(connector).finish()
}
