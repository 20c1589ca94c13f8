//! Headers that neither a job nor the configuration of a provider may set.

/// Headers that belong to the connection or are derived from the request.
const CONNECTION_HEADERS: [&str; 13] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Prefix of the headers in which this server identifies the job.
const RESERVED_PREFIX: &str = "longshore-";

/// Header that identifies the job to the other server, so one value cannot be that of all jobs.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Returns what sets a header, given its lowercase name, if nothing else may set it.
pub(crate) fn reserved_for(name: &str) -> Option<&'static str> {
    if CONNECTION_HEADERS.contains(&name) {
        Some("the HTTP client")
    } else if name.starts_with(RESERVED_PREFIX) {
        Some("this server")
    } else {
        None
    }
}

/// Returns whether a text is the name of a header: a token (RFC 9110, section 5.6.2).
pub(super) fn is_name(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token)
}

/// Returns whether a text can be the value of a header: printable ASCII without surrounding spaces.
pub(super) fn is_value(text: &str) -> bool {
    let is_printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    text.bytes().all(is_printable) && text.trim() == text
}
