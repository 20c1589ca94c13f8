//! What may not be shown though the other server says it.

use awc::http::header::{HeaderName, HeaderValue};

/// Below this length a value is too common to be a secret, in bytes.
const MIN_SECRET_LEN: usize = 6;
/// What the name of a header that carries a secret contains.
const NAMES: [&str; 7] = ["auth", "key", "token", "secret", "cookie", "password", "signature"];

/// The secrets of an attempt. Servers like to repeat a key that they refuse, programs what they see.
#[derive(Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// The secrets among headers: their values, and the parts of them behind a word like `Bearer`.
    pub(super) fn of_headers(headers: &[(HeaderName, HeaderValue)]) -> Self {
        let is_secret = |name: &HeaderName| NAMES.iter().any(|part| name.as_str().contains(part));
        let values = headers.iter().filter(|(name, _)| is_secret(name));
        let texts = values.filter_map(|(_, value)| value.to_str().ok());
        Self::new(texts.flat_map(|text| {
            std::iter::once(text).chain(text.split([' ', ';', ',', '='])).map(str::to_owned)
        }))
    }

    /// These texts, but for those too short to be told from others.
    /// Each of their lines is one as well, for what is said is looked at line by line.
    pub(super) fn new(texts: impl IntoIterator<Item = String>) -> Self {
        let mut secrets = Vec::new();
        for text in texts {
            if text.contains(['\n', '\r']) {
                secrets.extend(text.split(['\n', '\r']).map(str::to_owned));
            }
            secrets.push(text);
        }
        secrets.retain(|secret| secret.len() >= MIN_SECRET_LEN);
        // The longest first, or hiding a part would leave the rest of the whole.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets)
    }

    /// `text` without the secrets, and without the beginning of one at its end, where it was cut.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            text = text.replace(secret.as_str(), "(secret)");
        }
        let begun = self.0.iter().filter_map(|secret| begun(&text, secret)).max().unwrap_or(0);
        text.truncate(text.len() - begun);
        text
    }
}

/// How many of the last bytes of `text` are the beginning of `secret`, if any are.
fn begun(text: &str, secret: &str) -> Option<usize> {
    (MIN_SECRET_LEN..secret.len())
        .rev()
        .filter_map(|len| secret.get(..len))
        .find(|beginning| text.ends_with(beginning))
        .map(str::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let header = |name, value| (HeaderName::from_static(name), HeaderValue::from_static(value));
        Secrets::of_headers(&[
            header("authorization", "Bearer sk-abcdefgh"),
            header("x-api-key", "hunter22"),
            header("accept", "application/json"),
        ])
    }

    #[test]
    fn a_repeated_secret_is_hidden() {
        let said = "bad key sk-abcdefgh or hunter22, want application/json";
        let shown = "bad key (secret) or (secret), want application/json";
        assert_eq!(secrets().hide(said), shown);
    }

    #[test]
    fn each_line_of_a_secret_is_hidden() {
        let secrets = Secrets::new(["-----BEGIN KEY-----\r\nMIIEvQ\nab\n".to_owned()]);
        assert_eq!(secrets.hide("-----BEGIN KEY-----"), "(secret)");
        assert_eq!(secrets.hide("it says MIIEvQ and ab"), "it says (secret) and ab");
    }

    #[test]
    fn a_secret_that_is_cut_is_hidden_as_well() {
        assert_eq!(secrets().hide("bad key sk-abcdef"), "bad key ");
    }
}
