//! Hides secrets in messages that quote other servers and programs.

mod forms;

use awc::http::header::{HeaderName, HeaderValue};

use crate::config::{HttpUrl, Secret};

use forms::forms;

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
///
/// The value holds every form of every secret, the longest first; otherwise replacing a part of a secret
/// would leave the remainder visible.
#[derive(Default)]
pub(super) struct Secrets {
    forms: Vec<String>,
    /// Forms of the secrets that come from the configuration, which are among `forms` too.
    configured: Vec<String>,
}

impl Secrets {
    /// Returns the secrets of a request: the values of headers such as `authorization`, the parts of
    /// these values, and the values of query parameters such as `api_key`, decoded and as they are
    /// written in the URL. `Bearer sk-1234` yields `Bearer sk-1234`, `Bearer` and `sk-1234`. `configured` are
    /// the values in any header that come from the configuration.
    pub(super) fn of_request(
        url: &HttpUrl,
        headers: &[(HeaderName, HeaderValue)],
        configured: &[Secret],
    ) -> Self {
        let headers = headers.iter().filter(|(name, _)| is_secret_header(name));
        let texts = headers.filter_map(|(_, value)| value.to_str().ok());
        let in_headers = texts.flat_map(|text| {
            // A part may end with the padding of base64, or be the value of a name.
            let (words, values) = (text.split([' ', ';', ',']), text.split([' ', ';', ',', '=']));
            std::iter::once(text).chain(words).chain(values).map(str::to_owned)
        });
        let in_query =
            url.query_parameters().filter(|parameter| is_secret_parameter(&parameter.name));
        let in_query = in_query.flat_map(|parameter| [parameter.value, parameter.written_value]);
        let configured = || configured.iter().map(|secret| secret.reveal().to_owned());
        let all = Self::new(in_headers.chain(in_query).chain(configured()));
        Self { configured: Self::new(configured()).forms, ..all }
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
        let mut forms: Vec<String> = secrets.iter().flat_map(|secret| forms(secret)).collect();
        forms.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { forms, configured: Vec::new() }
    }

    /// Returns the length of the longest form of a secret, in bytes.
    pub(super) fn max_len(&self) -> usize {
        self.forms.first().map_or(0, String::len)
    }

    /// Returns `text` with every complete secret replaced by `(secret)`.
    pub(super) fn hide_complete(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.forms {
            text = text.replace(secret.as_str(), HIDDEN);
        }
        text
    }

    /// Returns the name of a response header, or `(secret)` if it contains a secret from the configuration.
    pub(super) fn hide_name(&self, name: &HeaderName) -> String {
        // Names are compared and stored in lowercase.
        let is_in_name = |secret: &String| name.as_str().contains(&secret.to_ascii_lowercase());
        let name = if self.configured.iter().any(is_in_name) { HIDDEN } else { name.as_str() };
        name.to_owned()
    }

    /// Returns `text` with every complete secret from the configuration replaced by `(secret)`. Secrets of the
    /// job are kept.
    pub(super) fn hide_configured(&self, text: &str) -> String {
        self.configured.iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN))
    }

    /// Returns `text` with every secret replaced by `(secret)`. If `text` ends with the beginning
    /// of a secret, because it was cut there, this part is removed.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut text = self.hide_complete(text);
        let partial_lens = self.forms.iter().filter_map(|secret| partial_len(&text, secret));
        let partial_len = partial_lens.max().unwrap_or(0);
        text.truncate(text.len() - partial_len);
        text
    }

    /// Returns `bytes` with every secret replaced by `(secret)`.
    pub(super) fn hide_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for secret in &self.forms {
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
            start.is_some_and(|start| self.forms.iter().any(|secret| secret.ends_with(start)))
        };
        let max_len = self.forms.first().map_or(0, String::len).min(text.len());
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
        Secrets::of_request(&url, &headers, &[])
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
    fn a_secret_from_the_configuration_is_hidden_whatever_its_header_is_called() {
        let url = HttpUrl::parse("http://host/").unwrap();
        let headers = [(HeaderName::from_static("x-id"), HeaderValue::from_static("u:Sesame/7!"))];
        let secrets = Secrets::of_request(&url, &headers, &[Secret::new("Sesame/7")]);
        for text in ["Sesame/7", "Sesame%2F7", "Sesame\\/7"] {
            assert_eq!(secrets.hide(text), "(secret)", "{text}");
            assert_eq!(secrets.hide_configured(text), "(secret)", "{text}");
            assert_eq!(secrets.hide_bytes(text.as_bytes()), b"(secret)", "{text}");
        }
        assert_eq!(secrets.hide_configured("hunter22 Sesame/"), "hunter22 Sesame/");
        let secrets = Secrets::of_request(&url, &headers, &[Secret::new("Sesame-7")]);
        for (name, shown) in [("x-sesame-7-x", "(secret)"), ("x-sesame", "x-sesame")] {
            assert_eq!(secrets.hide_name(&HeaderName::from_static(name)), shown);
        }
    }

    #[test]
    fn each_line_of_a_secret_is_hidden() {
        let secrets = Secrets::new(["-----BEGIN KEY-----\r\nMIIEvQ\nab\n".to_owned()]);
        assert_eq!(secrets.hide("-----BEGIN KEY-----"), "(secret)");
        assert_eq!(secrets.hide("found MIIEvQ and ab"), "found (secret) and ab");
    }

    #[test]
    fn a_secret_is_hidden_in_each_form_in_which_it_may_be_repeated() {
        let header = (HeaderName::from_static("authorization"), "Bearer a/b+c\"d&e==");
        let headers = [(header.0, HeaderValue::from_static(header.1))];
        let url = HttpUrl::parse("http://host/?api_key=q%2fk%2Dy+z%7e&token=ü/ü/ü&key=%zz%41bcd")
            .unwrap();
        let secrets = Secrets::of_request(&url, &headers, &[]);
        for text in [
            "a/b+c\"d&e==",
            "a%2Fb%2Bc%22d%26e%3D%3D",
            "a%2fb%2bc%22d%26e%3d%3d",
            "Bearer%20a/b%2Bc%22d%26e%3D%3D",
            "Bearer+a%2Fb%2Bc%22d%26e%3D%3D",
            r#"a/b+c\"d&e=="#,
            r#"Bearer a\/b+c\"d&e=="#,
            r#"a\/b+c\"d\u0026e=="#,
            "a/b+c&quot;d&amp;e==",
            // The value of the query as it is written, decoded and encoded in another way.
            "q%2fk%2Dy+z%7e",
            "q/k-y z~",
            r"q\/k-y z~",
            "q%2Fk-y%20z~",
            "%C3%BC/%C3%BC/%C3%BC",
            "ü/ü/ü",
            r"\u00fc\/\u00fc\/\u00fc",
            "%zz%41bcd",
            "%zzAbcd",
        ] {
            assert_eq!(secrets.hide(&format!("<{text}>")), "<(secret)>", "{text}");
            let bytes = secrets.hide_bytes(format!("<{text}>").as_bytes());
            assert_eq!(bytes, b"<(secret)>", "{text}");
        }
    }

    #[test]
    fn a_secret_that_is_too_short_is_hidden_in_no_form() {
        let secrets = Secrets::new(["a/\"b".to_owned()]);
        for text in ["a/\"b", "a%2F%22b", r#"a\/\"b"#] {
            assert_eq!(secrets.hide(text), text);
        }
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
