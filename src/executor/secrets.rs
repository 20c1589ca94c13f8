//! Hides secrets in messages that quote other servers and programs.

use awc::http::header::{HeaderName, HeaderValue};

use crate::config::HttpUrl;

/// Minimum length of a secret, in bytes. Shorter values also occur in ordinary text.
const MIN_SECRET_LEN: usize = 6;
/// Text that replaces a secret.
const HIDDEN: &str = "(secret)";
/// Parts of the names of headers that carry a secret.
const SECRET_NAME_PARTS: [&str; 7] =
    ["auth", "key", "token", "secret", "cookie", "password", "signature"];
/// Header whose name sounds like a secret and whose value is none. Servers quote it when they refuse
/// it.
const PUBLIC_HEADER: &str = "idempotency-key";
/// Ends of the names of query parameters that carry a secret, such as `api_key` and `accessToken`. The
/// rule is stricter than that for headers, so that the word in `?keyword=timeout` stays readable.
const SECRET_PARAMETER_ENDS: [&str; 8] =
    ["auth", "key", "token", "secret", "password", "signature", "sig", "credential"];

/// Secrets of one attempt. Servers often repeat a key that they refuse, and programs may print
/// their environment, so every quoted text passes through [`Secrets::hide`].
#[derive(Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Returns the secrets of a request: the values of headers such as `authorization`, the parts of
    /// these values, and the values of query parameters such as `api_key`. `Bearer sk-1234` yields
    /// `Bearer sk-1234`, `Bearer` and `sk-1234`.
    pub(super) fn of_request(url: &HttpUrl, headers: &[(HeaderName, HeaderValue)]) -> Self {
        let headers = headers.iter().filter(|(name, _)| is_secret_header(name));
        let texts = headers.filter_map(|(_, value)| value.to_str().ok());
        let in_headers = texts.flat_map(|text| {
            std::iter::once(text).chain(text.split([' ', ';', ',', '='])).map(str::to_owned)
        });
        let in_query = url.query_pairs().filter(|(name, _)| is_secret_parameter(name));
        Self::new(in_headers.chain(in_query.map(|(_, value)| value)))
    }

    /// Returns these texts as secrets, without those that are too short.
    ///
    /// Each line of a text is a secret too, because a program's log is searched line by line.
    pub(super) fn new(texts: impl IntoIterator<Item = String>) -> Self {
        let mut secrets = Vec::new();
        for text in texts {
            if text.contains(['\n', '\r']) {
                secrets.extend(text.split(['\n', '\r']).map(str::to_owned));
            }
            secrets.push(text);
        }
        secrets.retain(|secret| secret.len() >= MIN_SECRET_LEN);
        // The longest secret is replaced first; otherwise replacing a part of it would leave the
        // remainder visible.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets)
    }

    /// Returns the length of the longest secret, in bytes.
    pub(super) fn max_len(&self) -> usize {
        self.0.first().map_or(0, String::len)
    }

    /// Returns `text` with every complete secret replaced by `(secret)`.
    pub(super) fn hide_complete(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            text = text.replace(secret.as_str(), HIDDEN);
        }
        text
    }

    /// Returns `text` with every secret replaced by `(secret)`. If `text` ends with the beginning
    /// of a secret, because it was cut there, this part is removed.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut text = self.hide_complete(text);
        let partial_lens = self.0.iter().filter_map(|secret| partial_len(&text, secret));
        let partial_len = partial_lens.max().unwrap_or(0);
        text.truncate(text.len() - partial_len);
        text
    }

    /// Returns `bytes` with every secret replaced by `(secret)`.
    pub(super) fn hide_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for secret in &self.0 {
            let secret = secret.as_bytes();
            let mut start = 0;
            while let Some(found) =
                bytes[start..].windows(secret.len()).position(|window| window == secret)
            {
                let range = start + found..start + found + secret.len();
                start = range.start + HIDDEN.len();
                bytes.splice(range, HIDDEN.bytes());
            }
        }
        bytes
    }

    /// Returns the end of a text that was cut at its start, without the end of a secret there.
    pub(super) fn without_cut_start<'a>(&self, text: &'a str) -> &'a str {
        let is_end = |len: &usize| {
            let start = text.get(..*len);
            start.is_some_and(|start| self.0.iter().any(|secret| secret.ends_with(start)))
        };
        let max_len = self.0.first().map_or(0, String::len).min(text.len());
        let cut_len = (1..=max_len).rev().find(is_end).unwrap_or(0);
        &text[cut_len..]
    }
}

/// Returns whether a header with this name carries a secret.
fn is_secret_header(name: &HeaderName) -> bool {
    name != PUBLIC_HEADER && SECRET_NAME_PARTS.iter().any(|part| name.as_str().contains(part))
}

/// Returns whether a query parameter with this name carries a secret.
fn is_secret_parameter(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_PARAMETER_ENDS.iter().any(|end| name.ends_with(end))
}

/// Returns the number of bytes at the end of `text` that are the beginning of `secret`, if any.
fn partial_len(text: &str, secret: &str) -> Option<usize> {
    (MIN_SECRET_LEN..secret.len())
        .rev()
        .filter_map(|len| secret.get(..len))
        .find(|prefix| text.ends_with(prefix))
        .map(str::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let header = |name, value| (HeaderName::from_static(name), HeaderValue::from_static(value));
        let url = HttpUrl::parse("http://host/?page=17171717&keyword=timeout&API_Key=query%2Dkey")
            .unwrap();
        let headers = [
            header("authorization", "Bearer sk-abcdefgh"),
            header("x-api-key", "hunter22"),
            header("idempotency-key", "longshore-7"),
            header("accept", "application/json"),
        ];
        Secrets::of_request(&url, &headers)
    }

    #[test]
    fn a_repeated_secret_is_hidden() {
        let text =
            "bad key sk-abcdefgh, hunter22 or query-key, want application/json, page 17171717";
        let shown = "bad key (secret), (secret) or (secret), want application/json, page 17171717";
        assert_eq!(secrets().hide(text), shown);
        for text in ["longshore-7 was used before", "timeout of the page"] {
            assert_eq!(secrets().hide(text), text);
        }
    }

    #[test]
    fn each_line_of_a_secret_is_hidden() {
        let secrets = Secrets::new(["-----BEGIN KEY-----\r\nMIIEvQ\nab\n".to_owned()]);
        assert_eq!(secrets.hide("-----BEGIN KEY-----"), "(secret)");
        assert_eq!(secrets.hide("found MIIEvQ and ab"), "found (secret) and ab");
    }

    #[test]
    fn a_secret_between_bytes_is_hidden() {
        let bytes = b"\xff hunter22hunter22 \xff sk-abcdefgh";
        let hidden = b"\xff (secret)(secret) \xff (secret)";
        assert_eq!(secrets().hide_bytes(bytes), hidden);
        assert_eq!(secrets().hide_bytes(b""), b"");
    }

    #[test]
    fn a_partial_secret_at_a_cut_start_is_removed() {
        assert_eq!(secrets().without_cut_start("nter22 said"), " said");
        assert_eq!(secrets().without_cut_start("hunter22"), "");
        assert_eq!(secrets().without_cut_start("other"), "other");
        assert_eq!(secrets().without_cut_start(""), "");
    }

    #[test]
    fn a_partial_secret_at_the_end_is_removed() {
        assert_eq!(secrets().hide("bad key sk-abcdef"), "bad key ");
    }
}
