//! Settings of a server from the command line and the environment.

use std::ffi::OsString;

use crate::config::{InvalidListenAddress, ListenAddress};

/// Parses an address that a server listens on.
pub(crate) fn parse_listen(text: &str) -> Result<ListenAddress, InvalidListenAddress> {
    text.parse()
}

/// Returns the environment variables.
///
/// Bytes that are not UTF-8 are replaced, so that such a setting is reported as invalid and never
/// ignored silently.
pub(crate) fn variables() -> impl Iterator<Item = (String, String)> {
    let text = |text: OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}
