//! Requests that never need a key: those of this machine, with `keyless_loopback`.

use std::net::IpAddr;

use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderMap;

use crate::server::Handle;
use crate::server::origin::{Peer, Transport, is_sign_of_proxy};

/// Returns whether a request never needs a key: one of this machine, with `keyless_loopback`.
pub(super) fn is_trusted(request: &ServiceRequest, handle: &Handle) -> bool {
    handle.config().keyless_loopback && is_direct_and_local(request)
}

/// Returns whether a request comes from this machine, and no proxy has passed it on.
fn is_direct_and_local(request: &ServiceRequest) -> bool {
    let is_local = match request.peer_addr() {
        Some(peer) => is_loopback(peer.ip()),
        None => {
            let peer = request.conn_data::<Peer>();
            peer.is_some_and(|peer| peer.transport == Transport::Unix)
        }
    };
    is_local && !is_forwarded(request.headers())
}

fn is_loopback(address: IpAddr) -> bool {
    // `::ffff:127.0.0.1` is how a socket for both families shows an IPv4 address.
    address.to_canonical().is_loopback()
}

/// Returns whether a proxy has passed a request on, or a job has made it: a call of a job to this server must not
/// count as a request of this machine.
fn is_forwarded(headers: &HeaderMap) -> bool {
    // Names are in lower case, however they were sent.
    headers.keys().any(|name| is_sign_of_proxy(name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn every_sign_of_a_proxy_counts() {
        let forwarded = |name: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name.parse().unwrap(), HeaderValue::from_static("x"));
            is_forwarded(&headers)
        };
        for name in ["Forwarded", "X-Forwarded-For", "x-forwarded-proto", "X-FORWARDED-ANYTHING"] {
            assert!(forwarded(name), "{name}");
        }
        for name in ["Via", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "Longshore-Job"] {
            assert!(forwarded(name), "{name}");
        }
        assert!(!forwarded("x-forward") && !forwarded("host"));
        assert!(is_loopback("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!is_loopback("::ffff:10.0.0.1".parse().unwrap()));
    }
}
