//! Just enough of the head of an answer: which one it is, and what ends the answer.

use httparse::{EMPTY_HEADER, Header, ParserConfig, Response, Status};

use crate::executor::outbound::rest::Rest;

/// How many headers awc takes.
const MAX_HEADERS: usize = 96;
/// Where the minor version stands in `HTTP/1.1`.
const MINOR_VERSION_AT: usize = 7;

/// What so many bytes of a head are.
pub(super) enum Head {
    /// There has to come more of it.
    Partial,
    /// A head before the answer's own (RFC 9110, section 15.2), and its length.
    Interim(usize),
    /// The head of the answer.
    Final(Final),
    /// No HTTP, or not to be understood in one way only.
    Unreadable(String),
}

/// The head of the answer.
pub(super) struct Final {
    /// Its length.
    pub(super) len: usize,
    /// What is to come after it.
    pub(super) rest: Rest,
    /// Whether awc has to read up to the end of the connection, and would not.
    pub(super) reads_on: bool,
    /// Whether the connection may carry another answer.
    pub(super) is_lasting: bool,
}

impl Head {
    /// Reads the beginning of an answer. That to `HEAD` has no body.
    pub(super) fn read(bytes: &[u8], answers_head: bool) -> Self {
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut response = Response::new(&mut headers);
        let mut config = ParserConfig::default();
        // As awc does.
        config.allow_spaces_after_header_name_in_responses(true);
        let parsed = config.parse_response(&mut response, bytes);
        match (parsed, response.version, response.code) {
            (Ok(Status::Partial), ..) => Self::Partial,
            // Nothing asks for another protocol, so 101 is no interim head but an answer.
            (Ok(Status::Complete(len)), _, Some(100 | 102..=199)) => Self::Interim(len),
            (Ok(Status::Complete(len)), Some(version), Some(status)) => {
                let has_body = !answers_head && !matches!(status, 204 | 304);
                final_head(len, version, status, response.headers, has_body)
            }
            (Err(error), ..) => Self::Unreadable(error.to_string()),
            _ => Self::Unreadable("it has no status".into()),
        }
    }
}

/// What ends the body (RFC 9112, section 6.3).
fn final_head(len: usize, version: u8, status: u16, headers: &[Header], has_body: bool) -> Head {
    let is_new = version == 1;
    let head = |rest, reads_on, is_lasting| Head::Final(Final { len, rest, reads_on, is_lasting });
    if !has_body {
        return head(Rest::length(0), false, is_new);
    }
    // The coding that codes nothing is no longer one, and awc passes it over.
    let mut codings = values(headers, "transfer-encoding")
        .filter(|value| !value.eq_ignore_ascii_case(b"identity"));
    let mut lengths = values(headers, "content-length");
    match (codings.next(), codings.next(), lengths.next(), lengths.next()) {
        (Some(coding), None, ..) if is_new && coding.eq_ignore_ascii_case(b"chunked") => {
            head(Rest::chunks(), false, true)
        }
        (Some(_), ..) => Head::Unreadable("its transfer coding is not chunked alone".into()),
        (_, _, Some(length), None) => match length_of(length) {
            // awc takes an offer of WebSockets for the lack of a body.
            Some(length) => {
                let reads_on = is_new && values(headers, "upgrade").next().is_some();
                head(Rest::length(length), reads_on, is_new && !reads_on)
            }
            None => Head::Unreadable("its length is no number".into()),
        },
        (_, _, Some(_), Some(_)) => Head::Unreadable("it has two lengths".into()),
        // It has no content, whether or not it says so (RFC 9110, section 15.3.6).
        (_, _, None, _) if status == 205 => head(Rest::length(0), false, false),
        (_, _, None, _) => head(Rest::ToTheEnd, is_new, false),
    }
}

fn values<'a>(headers: &'a [Header], name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    let named = headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    named.map(|header| header.value.trim_ascii())
}

fn length_of(value: &[u8]) -> Option<u64> {
    // Parsing would take a sign.
    let text = str::from_utf8(value).ok().filter(|text| !text.starts_with('+'))?;
    text.parse().ok()
}

/// Makes a head one of HTTP/1.0, whose body awc reads up to the end of the connection.
pub(super) fn make_old(head: &mut [u8]) {
    // Empty lines may stand before it.
    let begin = head.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or_default();
    if let Some(digit) = head.get_mut(begin + MINOR_VERSION_AT) {
        *digit = b'0';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(head: &str) -> String {
        match Head::read(head.as_bytes(), false) {
            Head::Partial => "partial".into(),
            Head::Interim(len) => format!("interim of {len}"),
            Head::Unreadable(_) => "unreadable".into(),
            Head::Final(Final { rest, reads_on, is_lasting, .. }) => {
                let rest = match rest {
                    Rest::Length { length, .. } => length.to_string(),
                    Rest::Chunked(_) => "chunked".into(),
                    other => format!("{other:?}"),
                };
                let on = if reads_on { ", reads on" } else { "" };
                let lasting = if is_lasting { ", lasting" } else { "" };
                format!("{rest}{on}{lasting}")
            }
        }
    }

    #[test]
    fn the_head_tells_what_ends_the_answer() {
        let heads = [
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n", "partial"),
            ("HTTP/1.1 103 X\r\na: b\r\n\r\n", "interim of 24"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5 \r\n\r\n", "5, lasting"),
            ("HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\n", "5"),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n", "chunked, lasting"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nupgrade: websocket\r\n\r\n", "5, reads on"),
            ("HTTP/1.1 200 OK\r\n\r\n", "ToTheEnd, reads on"),
            ("HTTP/1.0 200 OK\r\n\r\n", "ToTheEnd"),
            ("HTTP/1.1 101 X\r\n\r\n", "ToTheEnd, reads on"),
            ("HTTP/1.1 205 X\r\n\r\n", "0"),
            ("HTTP/1.1 304 X\r\ncontent-length: 5\r\n\r\n", "0, lasting"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n", "unreadable"),
            ("HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\n", "unreadable"),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n", "unreadable"),
            ("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "unreadable"),
            ("SSH-2.0-OpenSSH_9.9\r\n", "unreadable"),
        ];
        for (head, expected) in heads {
            assert_eq!(told(head), expected, "{head}");
        }
    }
}
