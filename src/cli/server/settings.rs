//! Settings of a server from the command line and the environment.

use std::ffi::OsString;
use std::net::SocketAddr;

/// Parses the address that a server listens on.
pub(crate) fn parse_listen(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_error| "must be an address with a port, such as 127.0.0.1:7373 or [::1]:7373")
}

/// Returns the environment variables.
///
/// Bytes that are not UTF-8 are replaced, so that such a setting is reported as invalid and never
/// ignored silently.
pub(crate) fn variables() -> impl Iterator<Item = (String, String)> {
    let text = |text: OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}
