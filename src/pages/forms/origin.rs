//! Where the browser of a request sees this server.

use actix_web::HttpRequest;

use crate::server::Handle;
use crate::server::origin::{Origin, Peer};

/// Returns the scheme, host and client of a request. Headers of proxies are believed only if the connection
/// comes from one of `trusted_proxies`.
pub(in crate::pages) fn origin_of(request: &HttpRequest, handle: &Handle) -> Origin {
    let accepted = request.conn_data::<Peer>().copied();
    let peer = accepted.unwrap_or_else(|| {
        Peer::of_other_server(request.app_config().secure(), request.peer_addr())
    });
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_bytes()));
    Origin::of(peer, &handle.config().trusted_proxies, headers)
}
