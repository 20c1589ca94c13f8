//! The browser of a request: where it sees this server, and which page sent the request.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderName, HeaderValue, ORIGIN};

use crate::auth::sender::Sender;
use crate::server::Handle;

/// Names the relation of the page that sent a request to this server.
pub(crate) const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Where a request comes from. To be replaced by `server::origin::Origin`, which knows trusted proxies.
pub(crate) struct Origin {
    /// `http` or `https`, as the client sees it.
    pub(crate) scheme: &'static str,
    /// Name or address of the server with its port, as the client sees it; empty if it sent none.
    pub(crate) host: String,
    /// Address of the client.
    pub(crate) client_ip: Option<IpAddr>,
}

/// Returns where a request comes from.
pub(crate) fn origin_of(request: &HttpRequest, _handle: &Handle) -> Origin {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    Origin {
        scheme: if request.app_config().secure() { "https" } else { "http" },
        host: host.unwrap_or_default().to_owned(),
        client_ip: request.peer_addr().map(|peer| peer.ip()),
    }
}

/// Returns who sent a request.
pub(crate) fn sender_of(request: &HttpRequest, handle: &Handle) -> Sender {
    let value = |name| request.headers().get(name).map(HeaderValue::as_bytes);
    let own = origin_of(request, handle);
    Sender::of(value(SEC_FETCH_SITE), value(ORIGIN), (own.scheme, &own.host))
}
