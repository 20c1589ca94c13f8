//! Where the browser of a request sees this server, and which page sent the request.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue, ORIGIN};

use crate::auth::sender::Sender;
use crate::server::Handle;
use crate::server::origin::{Origin, Peer};

/// Names the relation of the page that sent a request to this server.
pub(in crate::pages) const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

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

/// Returns who sent a request.
pub(in crate::pages) fn sender_of(request: &HttpRequest, handle: &Handle) -> Sender {
    let value = |name| request.headers().get(name).map(HeaderValue::as_bytes);
    let own = origin_of(request, handle);
    Sender::of(value(SEC_FETCH_SITE), value(ORIGIN), (own.scheme, &own.host))
}
