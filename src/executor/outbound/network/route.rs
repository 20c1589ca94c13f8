//! Opens the TCP connections of calls.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use actix_rt::net::TcpStream;
use actix_tls::connect::ConnectError;
use awc::http::Uri;

use crate::executor::outbound::network::policy::{NotAllowed, Policy, Reach, literal};
use crate::executor::outbound::network::proxy::Proxy;
use crate::executor::outbound::target::Caller;

/// Port of `http` URLs that name none.
const HTTP_PORT: u16 = 80;

/// The way on which connections are opened.
#[derive(Clone)]
pub(in crate::executor::outbound) enum Route {
    /// To any address.
    #[cfg(feature = "cli")]
    Any,
    /// To the addresses that a policy allows.
    Checked(Arc<Policy>, Caller),
    /// Through a proxy, which resolves the names.
    Proxied(Arc<Policy>, Caller, Arc<Proxy>),
}

impl Route {
    /// Connects to the host and port of a URL.
    ///
    /// # Errors
    /// Returns an error that contains [`NotAllowed`] if the policy refuses every address of the host. No
    /// packet is sent then, except to resolve the name.
    pub(in crate::executor::outbound) async fn connect(
        &self,
        uri: &Uri,
    ) -> Result<TcpStream, ConnectError> {
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(HTTP_PORT);
        match self {
            #[cfg(feature = "cli")]
            Self::Any => connect(resolve(host, port).await?).await,
            Self::Checked(policy, caller) => {
                let reach = policy.check_host(host, port, *caller).map_err(not_allowed)?;
                let addresses = resolve(host, port).await?;
                let allowed = |address: &SocketAddr| {
                    policy.check_address(host, *address, reach).is_ok()
                };
                let addresses: Vec<_> = addresses.into_iter().filter(allowed).collect();
                if addresses.is_empty() {
                    return Err(not_allowed(NotAllowed));
                }
                connect(addresses).await
            }
            Self::Proxied(policy, caller, proxy) => {
                policy.check(host, port, *caller).map_err(not_allowed)?;
                refuse_own_name(policy, host, port).await?;
                let mut tcp = connect(resolve(proxy.host(), proxy.port()).await?).await?;
                proxy.open_tunnel(&mut tcp, host, port).await.map_err(ConnectError::Io)?;
                Ok(tcp)
            }
        }
    }
}

/// Refuses a name that this machine resolves to an address on which this server listens. The proxy resolves the
/// names of calls, and may be on this machine. Names are looked up only for the ports of this server.
async fn refuse_own_name(policy: &Policy, host: &str, port: u16) -> Result<(), ConnectError> {
    if !policy.is_own_port(port) {
        return Ok(());
    }
    // A name that only the proxy can resolve is not one of this machine.
    let addresses = resolve(host, port).await.unwrap_or_default();
    let check = |address: &SocketAddr| policy.check_address(host, *address, Reach::All);
    addresses.iter().try_for_each(check).map_err(not_allowed)
}

fn not_allowed(error: NotAllowed) -> ConnectError {
    ConnectError::Io(io::Error::new(io::ErrorKind::PermissionDenied, error))
}

/// Returns the addresses of a host, of which there is at least one.
async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
    if let Some(ip) = literal(host) {
        return Ok(vec![(ip, port).into()]);
    }
    let found = tokio::net::lookup_host((host, port)).await;
    let addresses: Vec<_> =
        found.map_err(|error| ConnectError::Resolver(Box::new(error)))?.collect();
    if addresses.is_empty() { Err(ConnectError::NoRecords) } else { Ok(addresses) }
}

/// Connects to the first address that accepts the connection, in their order. awc bounds the time.
async fn connect(addresses: Vec<SocketAddr>) -> Result<TcpStream, ConnectError> {
    let mut last = ConnectError::NoRecords;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = ConnectError::Io(error),
        }
    }
    Err(last)
}
