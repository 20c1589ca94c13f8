//! Hides secrets in messages that quote other servers and programs.

use awc::http::header::{HeaderName, HeaderValue};

/// Minimum length of a secret, in bytes. Shorter values also occur in ordinary text.
const MIN_SECRET_LEN: usize = 6;
/// Parts of the names of headers that carry a secret.
const SECRET_NAME_PARTS: [&str; 7] =
    ["auth", "key", "token", "secret", "cookie", "password", "signature"];

/// Secrets of one attempt. Servers often repeat a key that they refuse, and programs may print
/// their environment, so every quoted text passes through [`Secrets::hide`].
#[derive(Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Returns the secrets among request headers: the values of headers such as `authorization`,
    /// and the parts of these values. `Bearer sk-1234` yields `Bearer sk-1234`, `Bearer` and
    /// `sk-1234`.
    pub(super) fn from_headers(headers: &[(HeaderName, HeaderValue)]) -> Self {
        let is_secret =
            |name: &HeaderName| SECRET_NAME_PARTS.iter().any(|part| name.as_str().contains(part));
        let values = headers.iter().filter(|(name, _)| is_secret(name));
        let texts = values.filter_map(|(_, value)| value.to_str().ok());
        Self::new(texts.flat_map(|text| {
            std::iter::once(text).chain(text.split([' ', ';', ',', '='])).map(str::to_owned)
        }))
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
            text = text.replace(secret.as_str(), "(secret)");
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
        Secrets::from_headers(&[
            header("authorization", "Bearer sk-abcdefgh"),
            header("x-api-key", "hunter22"),
            header("accept", "application/json"),
        ])
    }

    #[test]
    fn a_repeated_secret_is_hidden() {
        let text = "bad key sk-abcdefgh or hunter22, want application/json";
        let shown = "bad key (secret) or (secret), want application/json";
        assert_eq!(secrets().hide(text), shown);
    }

    #[test]
    fn each_line_of_a_secret_is_hidden() {
        let secrets = Secrets::new(["-----BEGIN KEY-----\r\nMIIEvQ\nab\n".to_owned()]);
        assert_eq!(secrets.hide("-----BEGIN KEY-----"), "(secret)");
        assert_eq!(secrets.hide("found MIIEvQ and ab"), "found (secret) and ab");
    }

    #[test]
    fn a_partial_secret_at_the_end_is_removed() {
        assert_eq!(secrets().hide("bad key sk-abcdef"), "bad key ");
    }
}
