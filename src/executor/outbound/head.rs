//! The head of a response: whether it is interim or final, and how the body is framed.

use httparse::{EMPTY_HEADER, Header, ParserConfig, Response, Status};

use crate::executor::outbound::body_framing::BodyFraming;

/// Maximum number of headers of a response, as in awc.
const MAX_HEADERS: usize = 96;
/// Index of the minor version in `HTTP/1.1`.
const MINOR_VERSION_INDEX: usize = 7;

/// Result of parsing the first bytes of a response.
pub(super) enum Head {
    /// The head is incomplete.
    Partial,
    /// An interim (1xx) head, which comes before the final one (RFC 9110, section 15.2), with its
    /// length in bytes.
    Interim(usize),
    /// The final head of the response.
    Final(FinalHead),
    /// Bytes that are not HTTP or whose framing is ambiguous, with the reason.
    Invalid(String),
}

/// The final head of a response.
pub(super) struct FinalHead {
    /// Length of the head, in bytes.
    pub(super) len: usize,
    /// Framing of the body after the head.
    pub(super) framing: BodyFraming,
    /// Whether awc would not read the body as it is. The head must be downgraded to HTTP/1.0, so
    /// that awc reads until the end of the stream.
    pub(super) needs_downgrade: bool,
    /// Whether version and framing allow another response on the connection (RFC 9112,
    /// section 9.3).
    pub(super) is_persistent: bool,
}

impl Head {
    /// Parses the beginning of a response. `is_head_request` states whether it responds to a `HEAD`
    /// request, in which case it has no body.
    pub(super) fn parse(bytes: &[u8], is_head_request: bool) -> Self {
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut response = Response::new(&mut headers);
        let mut config = ParserConfig::default();
        // awc sets this too, and both must accept the same heads.
        config.allow_spaces_after_header_name_in_responses(true);
        let parsed = config.parse_response(&mut response, bytes);
        match (parsed, response.version, response.code) {
            (Ok(Status::Partial), ..) => Self::Partial,
            // 101 is treated as a final response, because no request asks for another protocol.
            (Ok(Status::Complete(len)), _, Some(100 | 102..=199)) => Self::Interim(len),
            (Ok(Status::Complete(len)), Some(version), Some(status)) => {
                let has_body = !is_head_request && !matches!(status, 204 | 304);
                final_head(len, version, status, response.headers, has_body)
            }
            (Err(error), ..) => Self::Invalid(error.to_string()),
            _ => Self::Invalid("the head has no status".into()),
        }
    }
}

/// Determines how the body is framed (RFC 9112, section 6.3).
///
/// `has_body` is false for responses to `HEAD` and for the statuses 204 and 304, which end with the
/// head regardless of their headers.
fn final_head(len: usize, version: u8, status: u16, headers: &[Header], has_body: bool) -> Head {
    let is_http_1_1 = version == 1;
    let head = |framing, needs_downgrade, is_persistent| {
        Head::Final(FinalHead { len, framing, needs_downgrade, is_persistent })
    };
    if !has_body {
        return head(BodyFraming::with_length(0), false, is_http_1_1);
    }
    // `identity` is no longer a transfer coding (RFC 7230, appendix A.2), and awc ignores it.
    let mut codings = values(headers, "transfer-encoding")
        .filter(|value| !value.eq_ignore_ascii_case(b"identity"));
    let mut lengths = values(headers, "content-length");
    match (codings.next(), codings.next(), lengths.next(), lengths.next()) {
        (Some(coding), None, ..) if is_http_1_1 && coding.eq_ignore_ascii_case(b"chunked") => {
            head(BodyFraming::chunked(), false, true)
        }
        (Some(_), ..) => {
            let why = "the only supported transfer encoding is chunked over HTTP/1.1";
            Head::Invalid(why.into())
        }
        (_, _, Some(length), None) => match parse_length(length) {
            // awc assumes that a response with `upgrade: websocket` has no body. Every `upgrade`
            // header is treated alike here.
            Some(length) => {
                let needs_downgrade = is_http_1_1 && values(headers, "upgrade").next().is_some();
                let is_persistent = is_http_1_1 && !needs_downgrade;
                head(BodyFraming::with_length(length), needs_downgrade, is_persistent)
            }
            None => Head::Invalid("content-length is not a number".into()),
        },
        (_, _, Some(_), Some(_)) => Head::Invalid("content-length occurs more than once".into()),
        // 205 has no content, even without a length (RFC 9110, section 15.3.6).
        (_, _, None, _) if status == 205 => head(BodyFraming::with_length(0), false, false),
        (_, _, None, _) => head(BodyFraming::UntilEof, is_http_1_1, false),
    }
}

/// Returns the trimmed values of all headers with this name.
fn values<'a>(headers: &'a [Header], name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    let named = headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    named.map(|header| header.value.trim_ascii())
}

/// Parses a `content-length`, which consists of digits only (RFC 9110, section 8.6).
fn parse_length(value: &[u8]) -> Option<u64> {
    // `u64::from_str` would accept a plus sign.
    let text = str::from_utf8(value).ok().filter(|text| !text.starts_with('+'))?;
    text.parse().ok()
}

/// Changes the version in a response head to HTTP/1.0, so that awc reads the body until the end of
/// the stream.
pub(super) fn downgrade_to_http_1_0(head: &mut [u8]) {
    // Empty lines may precede the status line.
    let start = head.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or_default();
    if let Some(digit) = head.get_mut(start + MINOR_VERSION_INDEX) {
        *digit = b'0';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Describes how a head is parsed, for example `5, persistent`.
    fn describe(head: &str) -> String {
        match Head::parse(head.as_bytes(), false) {
            Head::Partial => "partial".into(),
            Head::Interim(len) => format!("interim of {len}"),
            Head::Invalid(_) => "invalid".into(),
            Head::Final(FinalHead { framing, needs_downgrade, is_persistent, .. }) => {
                let framing = match framing {
                    BodyFraming::Length { length, .. } => length.to_string(),
                    BodyFraming::Chunked(_) => "chunked".into(),
                    BodyFraming::UntilEof => "until eof".into(),
                };
                let downgrade = if needs_downgrade { ", downgrade" } else { "" };
                let persistent = if is_persistent { ", persistent" } else { "" };
                format!("{framing}{downgrade}{persistent}")
            }
        }
    }

    #[test]
    fn the_head_determines_the_framing_of_the_body() {
        let heads = [
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n", "partial"),
            ("HTTP/1.1 103 X\r\na: b\r\n\r\n", "interim of 24"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5 \r\n\r\n", "5, persistent"),
            ("HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\n", "5"),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n", "chunked, persistent"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nupgrade: websocket\r\n\r\n", "5, downgrade"),
            ("HTTP/1.1 200 OK\r\n\r\n", "until eof, downgrade"),
            ("HTTP/1.0 200 OK\r\n\r\n", "until eof"),
            ("HTTP/1.1 101 X\r\n\r\n", "until eof, downgrade"),
            ("HTTP/1.1 205 X\r\n\r\n", "0"),
            ("HTTP/1.1 304 X\r\ncontent-length: 5\r\n\r\n", "0, persistent"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n", "invalid"),
            ("HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\n", "invalid"),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n", "invalid"),
            ("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "invalid"),
            ("SSH-2.0-OpenSSH_9.9\r\n", "invalid"),
        ];
        for (head, expected) in heads {
            assert_eq!(describe(head), expected, "{head}");
        }
    }
}
