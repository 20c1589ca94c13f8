//! Paths of `http` jobs below the base URL of a provider.
//!
//! A path must not leave the path of the base URL, however the other server reads it. Some servers and
//! proxies decode `%2e` and `%2f` before they resolve `..`, some of them twice, some take a backslash for a
//! slash, and some remove `;parameters` from a segment first. So a path is refused if any of these readings
//! has a segment of dots. For example, `/a/..;x/b`, `/a/%2e./b`, `/a/..%2fb` and `/a/%252e%252e/b` are refused.

/// Maximum number of times that a path may be percent-encoded. More is a mistake or an attack.
const MAX_ENCODINGS: usize = 4;

/// Reason why a path cannot be called, as a predicate of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidPath {
    /// The path is empty, relative, a whole URL or starts with the name of a host.
    #[error("must start with one slash")]
    Start,
    /// Servers do not agree on what a backslash means, and control characters are a mistake.
    #[error("must not contain backslashes or control characters, also not percent-encoded")]
    Character,
    /// A fragment is not sent.
    #[error("must not have a fragment; write %23 for the character")]
    Fragment,
    /// A percent sign that is not part of an encoding may be decoded in several ways.
    #[error("must have two hexadecimal digits after each %; write %25 for the character")]
    Percent,
    /// Bytes that are not UTF-8 may be decoded in several ways.
    #[error("must be UTF-8 when it is decoded")]
    Utf8,
    /// The path is encoded more than [`MAX_ENCODINGS`] times.
    #[error("is percent-encoded more than {MAX_ENCODINGS} times")]
    Encodings,
    /// The path could leave that of the base URL.
    #[error("must not have a segment of dots such as .., also not percent-encoded")]
    Dots,
}

/// Checks a path with an optional query.
pub(super) fn check_path(text: &str) -> Result<(), InvalidPath> {
    if !text.starts_with('/') || text.starts_with("//") {
        return Err(InvalidPath::Start);
    }
    if text.contains('#') {
        return Err(InvalidPath::Fragment);
    }
    // In the query, these characters have no meaning when they are encoded.
    check_characters(text)?;
    let path = text.split('?').next().unwrap_or_default();
    if !has_whole_encodings(path.as_bytes()) {
        return Err(InvalidPath::Percent);
    }
    let path = fully_decoded(path)?;
    check_characters(&path)?;
    if path.starts_with("//") {
        return Err(InvalidPath::Start);
    }
    if path.split('/').any(is_of_dots) { Err(InvalidPath::Dots) } else { Ok(()) }
}

fn check_characters(text: &str) -> Result<(), InvalidPath> {
    let is_refused = |c: char| c == '\\' || c.is_control();
    if text.contains(is_refused) { Err(InvalidPath::Character) } else { Ok(()) }
}

/// Returns whether a segment consists of dots, without its parameters and spaces around it.
fn is_of_dots(segment: &str) -> bool {
    let name = segment.split(';').next().unwrap_or_default().trim();
    !name.is_empty() && name.bytes().all(|byte| byte == b'.')
}

/// Returns whether each percent sign has two hexadecimal digits after it.
fn has_whole_encodings(path: &[u8]) -> bool {
    let mut at = path.iter().enumerate().filter(|(_, byte)| **byte == b'%').map(|(at, _)| at);
    at.all(|at| encoded_byte(&path[at..]).is_some())
}

/// Decodes a path until nothing in it is encoded.
fn fully_decoded(path: &str) -> Result<String, InvalidPath> {
    let mut path = path.to_owned();
    for _ in 0..MAX_ENCODINGS {
        let decoded =
            String::from_utf8(decode(path.as_bytes())).map_err(|_error| InvalidPath::Utf8)?;
        if decoded == path {
            return Ok(path);
        }
        path = decoded;
    }
    if decode(path.as_bytes()) == path.as_bytes() { Ok(path) } else { Err(InvalidPath::Encodings) }
}

/// Decodes each whole encoding of a text once.
fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, others)) = rest.split_first() {
        match encoded_byte(rest) {
            Some(byte) => {
                decoded.push(byte);
                rest = &rest[3..];
            }
            None => {
                decoded.push(*first);
                rest = others;
            }
        }
    }
    decoded
}

/// Returns the byte that the first three characters encode, such as `%2E`.
fn encoded_byte(text: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match text {
        [b'%', high, low, ..] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_could_leave_the_base_url_is_refused() {
        use InvalidPath::*;
        for (path, why) in [
            ("", Start),
            ("a", Start),
            ("?a=b", Start),
            ("//evil.example/", Start),
            ("///a", Start),
            ("/%2fevil.example/", Start),
            ("/%2F%2Fevil.example/", Start),
            ("http://evil.example/", Start),
            ("@evil.example/", Start),
            (":80/", Start),
            (".evil.example/", Start),
            ("\\\\evil.example\\", Start),
            ("/\\evil.example/", Character),
            ("/a\\..\\b", Character),
            ("/a/..%5cb", Character),
            ("/a%5C", Character),
            ("/a%255c", Character),
            ("/a?b=\\", Character),
            ("/a\r\nx: y", Character),
            ("/a\tb", Character),
            ("/a\u{0}", Character),
            ("/a?b=\n", Character),
            ("/a%00", Character),
            ("/a%0d%0ax:%20y", Character),
            ("/a%250a", Character),
            ("/a%7f", Character),
            ("/a#b", Fragment),
            ("/a?b#c", Fragment),
            ("/%", Percent),
            ("/a%2", Percent),
            ("/a%zz", Percent),
            ("/%u002e%u002e/a", Percent),
            ("/%%32%65%%32%65/a", Percent),
            ("/%c0%ae%c0%ae/a", Utf8),
            ("/%e4", Utf8),
            ("/%25252525252e", Encodings),
            ("/.", Dots),
            ("/..", Dots),
            ("/../a", Dots),
            ("/a/..", Dots),
            ("/a/../b", Dots),
            ("/a/./b", Dots),
            ("/a/../../b?c", Dots),
            ("/a/.../b", Dots),
            ("/a/.. /b", Dots),
            ("/a/..%20/b", Dots),
            ("/..;/a", Dots),
            ("/a/..;x=y/b", Dots),
            ("/%2e%2e/a", Dots),
            ("/%2E%2e/a", Dots),
            ("/.%2e/a", Dots),
            ("/%2e./a", Dots),
            ("/%2e", Dots),
            ("/a%2f..%2fb", Dots),
            ("/..%2fa", Dots),
            ("/..%3b/a", Dots),
            ("/%252e%252e/a", Dots),
            ("/%25252e%2e/a", Dots),
            ("/a%252f..", Dots),
        ] {
            assert_eq!(check_path(path), Err(why), "{path:?}");
        }
    }

    #[test]
    fn every_other_path_is_accepted() {
        for path in [
            "/",
            "/v1/charges?limit=3",
            "/a//b",
            "/a/",
            "/projects/group%2Fproject",
            "/a%20b c",
            "/ä/%C3%A4",
            "/100%25",
            "/.well-known/a",
            "/a..b/..c/d..",
            "/http://host",
            "/a;b=..",
            "/a?b=../..&c=%0a%e4%zz%",
            "/?",
        ] {
            assert_eq!(check_path(path), Ok(()), "{path:?}");
        }
    }

    #[test]
    fn a_long_path_is_checked_in_a_bounded_number_of_steps() {
        let path = format!("/{}", "%25".repeat(1_000_000));
        assert_eq!(check_path(&path), Ok(()));
        assert_eq!(
            check_path(&format!("/%{}2e", "25".repeat(1_000_000))),
            Err(InvalidPath::Encodings)
        );
    }
}
