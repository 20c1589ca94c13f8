//! Where a request comes from.

use actix_web::HttpRequest;

use crate::server::Handle;
use crate::server::origin::{Origin, Peer};

/// Returns where a request comes from: what the client sees as scheme and host, and its address.
///
/// Headers of proxies are believed only if the connection comes from one of `trusted_proxies`.
pub(in crate::http) fn origin_of(request: &HttpRequest, handle: &Handle) -> Origin {
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_bytes()));
    Origin::of(peer_of(request), &handle.config().trusted_proxies, headers)
}

/// Returns the other end of the connection of a request.
fn peer_of(request: &HttpRequest) -> Peer {
    let accepted = request.conn_data::<Peer>().copied();
    accepted.unwrap_or_else(|| {
        Peer::of_other_server(request.app_config().secure(), request.peer_addr())
    })
}
