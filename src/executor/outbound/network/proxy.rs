//! Tunnels through an HTTP proxy (RFC 9110, section 9.3.6).

use std::io;

use awc::http::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::config::{EgressProxy, Secret};

/// Maximum length of the head of the proxy's response, in bytes.
const MAX_HEAD_LEN: usize = 16_384;
/// Maximum number of headers of the proxy's response.
const MAX_HEADERS: usize = 96;

/// The HTTP proxy of the configuration.
#[derive(Debug)]
pub(in crate::executor::outbound) struct Proxy {
    address: EgressProxy,
    /// Value of the header `Proxy-Authorization`.
    authorization: Option<Secret>,
}

/// Error for a proxy that did not open a tunnel.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::executor::outbound) enum ProxyError {
    /// The proxy does not accept the credentials. Correct `outbound.proxy_authorization_env`.
    #[error(
        "the proxy answered 407 Proxy Authentication Required; see outbound.proxy_authorization_env"
    )]
    Unauthorized,
    /// The proxy refused to connect to the server.
    #[error("the proxy answered {}", status_text(*.0))]
    Refused(u16),
    /// The response is not HTTP, too long, or followed by bytes that nobody asked for.
    #[error("the proxy did not answer in valid HTTP: {0}")]
    Invalid(String),
    /// The connection ended before the end of the response.
    #[error("the proxy closed the connection before it answered")]
    Closed,
}

fn status_text(status: u16) -> String {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    reason.map_or_else(|| status.to_string(), |reason| format!("{status} {reason}"))
}

impl From<ProxyError> for io::Error {
    fn from(error: ProxyError) -> Self {
        Self::other(error)
    }
}

impl Proxy {
    /// Returns the proxy at an address.
    pub(in crate::executor::outbound) fn new(
        address: EgressProxy,
        authorization: Option<Secret>,
    ) -> Self {
        Self { address, authorization }
    }

    /// Returns the name or the address of the proxy.
    pub(super) fn host(&self) -> &str {
        self.address.host()
    }

    /// Returns the port of the proxy.
    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Asks the proxy at the other end of `stream` to connect to a server. An IPv6 address is in brackets.
    ///
    /// # Errors
    /// Returns an error that contains [`ProxyError`] if the proxy does not connect.
    pub(super) async fn open_tunnel(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        host: &str,
        port: u16,
    ) -> io::Result<()> {
        let authorization = self.authorization.as_ref().map_or_else(String::new, |value| {
            format!("Proxy-Authorization: {}\r\n", value.reveal())
        });
        let request =
            format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{authorization}\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        loop {
            if stream.read_buf(&mut head).await? == 0 {
                return Err(ProxyError::Closed.into());
            }
            if let Some(result) = tunnel_result(&head) {
                return Ok(result?);
            }
        }
    }
}

/// Returns whether the tunnel is open, or `None` if the head of the response is not complete.
fn tunnel_result(bytes: &[u8]) -> Option<Result<(), ProxyError>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let invalid = |why: String| Some(Err(ProxyError::Invalid(why)));
    match (response.parse(bytes), response.code) {
        (Ok(httparse::Status::Partial), _) if bytes.len() < MAX_HEAD_LEN => None,
        (Ok(httparse::Status::Partial), _) => {
            invalid(format!("the head has more than {MAX_HEAD_LEN} bytes"))
        }
        // The server speaks after the request only, so these bytes are from the proxy.
        (Ok(httparse::Status::Complete(len)), Some(200..=299)) if len < bytes.len() => {
            invalid("bytes follow the head".into())
        }
        (Ok(httparse::Status::Complete(_)), Some(200..=299)) => Some(Ok(())),
        (Ok(httparse::Status::Complete(_)), Some(407)) => Some(Err(ProxyError::Unauthorized)),
        (Ok(httparse::Status::Complete(_)), Some(status)) => Some(Err(ProxyError::Refused(status))),
        (Ok(httparse::Status::Complete(_)), None) => invalid("the head has no status".into()),
        (Err(error), _) => invalid(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_the_response_decides_whether_the_tunnel_is_open() {
        for (head, expected) in [
            ("HTTP/1.1 200 OK\r\n", "partial"),
            ("HTTP/1.1 200 Connection established\r\n\r\n", "open"),
            ("HTTP/1.0 299 X\r\nvia: a\r\n\r\n", "open"),
            ("HTTP/1.1 407 X\r\n\r\n", "the proxy answered 407"),
            ("HTTP/1.1 502 X\r\n\r\nbody", "the proxy answered 502 Bad Gateway"),
            ("HTTP/1.1 599 X\r\n\r\n", "the proxy answered 599"),
            ("HTTP/1.1 100 Continue\r\n\r\n", "the proxy answered 100 Continue"),
            ("HTTP/1.1 200 OK\r\n\r\nSSH-2.0", "bytes follow the head"),
            ("SSH-2.0-OpenSSH_9.9\r\n", "not answer in valid HTTP"),
        ] {
            let found = match tunnel_result(head.as_bytes()) {
                None => "partial".into(),
                Some(Ok(())) => "open".into(),
                Some(Err(error)) => error.to_string(),
            };
            assert!(found.contains(expected), "{head:?}: {found}");
        }
        let long = format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(MAX_HEAD_LEN));
        let error = tunnel_result(long.as_bytes()).unwrap().unwrap_err();
        assert!(error.to_string().contains("16384 bytes"), "{error}");
    }

    #[actix_web::test]
    async fn the_request_names_the_server_and_has_the_credentials() {
        let proxy = Proxy::new("http://p:1".parse().unwrap(), Some(Secret::new("Basic YTpi")));
        let (mut ours, mut theirs) = tokio::io::duplex(1_024);
        theirs.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        proxy.open_tunnel(&mut ours, "[2606::1]", 443).await.unwrap();
        drop(ours);
        let mut request = String::new();
        theirs.read_to_string(&mut request).await.unwrap();
        assert_eq!(
            request,
            "CONNECT [2606::1]:443 HTTP/1.1\r\nHost: [2606::1]:443\r\n\
             Proxy-Authorization: Basic YTpi\r\n\r\n"
        );
        assert!(!format!("{proxy:?}").contains("YTpi"), "{proxy:?}");
    }
}
