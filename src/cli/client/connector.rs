//! Connects to a server: over TCP, TLS or a Unix socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use actix_web::dev::fn_service;
use actix_web::http::header::{AUTHORIZATION, HOST};
use awc::http::Uri;
use awc::{Client, Connector};
use tokio::net::UnixStream;

use crate::cli::error::CliError;
use crate::config::HttpUrl;
use crate::executor::tls_connector;

/// Maximum time to establish a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Prefix of the URL of a Unix socket.
pub(crate) const UNIX: &str = "unix:";

/// URL in requests to a Unix socket. The server accepts this name in any configuration.
const LOCAL_URL: &str = "http://localhost";

/// Returns a client for the server at `base_url`, which trusts the certificates in `ca` as well, and the URL to
/// which it appends the paths of requests.
pub(super) fn client(
    base_url: &str,
    ca: Option<&Path>,
    key: Option<&str>,
) -> Result<(Client, String), CliError> {
    if let Some(path) = base_url.strip_prefix(UNIX) {
        return Ok((unix_client(path.into(), key), LOCAL_URL.into()));
    }
    let url = HttpUrl::parse_base(base_url)
        .map_err(|error| CliError::Usage(format!("--url: {base_url} {error}")))?;
    // awc omits the ports 80 and 443 from the header, whatever the scheme is.
    let mut builder =
        Client::builder().disable_redirects().add_default_header((HOST, url.authority()));
    if let Some(key) = key {
        builder = builder.add_default_header((AUTHORIZATION, bearer(key)));
    }
    let connector = Connector::new().timeout(CONNECT_TIMEOUT);
    if !url.is_https() {
        return Ok((builder.connector(connector).finish(), base_url.trim_end_matches('/').into()));
    }
    let tls = tls_connector(ca).map_err(|error| CliError::Usage(format!("--ca: {error}")))?;
    let path = url.path_and_query().trim_end_matches('/');
    let request_url = format!("http://{}:{}{path}", url.host(), url.port());
    Ok((builder.connector(connector.connector(tls)).finish(), request_url))
}

/// Returns the value of `Authorization` for a key.
fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

/// Returns a client that sends every request to a Unix socket.
fn unix_client(path: PathBuf, key: Option<&str>) -> Client {
    let connect = fn_service(move |info: ConnectInfo<Uri>| {
        let path = path.clone();
        async move {
            let socket = UnixStream::connect(path).await.map_err(ConnectError::Io)?;
            Ok::<_, ConnectError>(Connection::new(info.request().clone(), socket))
        }
    });
    let connector = Connector::new().connector(connect).timeout(CONNECT_TIMEOUT);
    let mut builder = Client::builder().disable_redirects();
    if let Some(key) = key {
        builder = builder.add_default_header((AUTHORIZATION, bearer(key)));
    }
    builder.connector(connector).finish()
}
