//! Requests of a client that wants to harm the server.

use std::net::SocketAddr;

/// Maximum length of the answer to an invalid request.
pub(crate) const MAX_ANSWER_BYTES: usize = 64 << 10;

/// A letter that `{:?}` writes as eight.
pub(crate) const ODD: &str = "\u{200b}";

/// Returns a job with so many odd letters where a number belongs.
pub(crate) fn odd_priority(letters: usize) -> String {
    format!("{{\"kind\":\"echo\",\"priority\":\"{}\"}}", ODD.repeat(letters))
}

/// Returns an `http` job with so many invalid names of headers.
pub(crate) fn invalid_headers(count: usize) -> String {
    let headers: Vec<String> = (0..count).map(|number| format!("\"a b {number}\":\"\"")).collect();
    let payload = format!("{{\"url\":\"http://a\",\"headers\":{{{}}}}}", headers.join(","));
    format!("{{\"kind\":\"http\",\"payload\":{payload}}}")
}

/// Returns a path with a query of so many unknown parameters.
pub(crate) fn unknown_parameters(count: usize) -> String {
    format!("/v1/jobs?{}", "a&".repeat(count))
}

/// Returns a text of nested lists around many numbers.
pub(crate) fn nested(depth: usize, numbers: usize) -> String {
    let flat = format!("[{}1]", "1,".repeat(numbers));
    format!("{}{flat}{}", "[".repeat(depth), "]".repeat(depth))
}

/// Returns the head of a request whose chunked body does not come.
pub(crate) fn chunked_head(host: SocketAddr, line: &str, headers: &str) -> String {
    format!("{line} HTTP/1.1\r\nhost: {host}\r\n{headers}transfer-encoding: chunked\r\n\r\n")
}
