//! The hosts to which a secret may be sent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::config::http_url::HttpUrl;
use crate::config::outbound::{BELOW, is_below};

/// Start of an entry that allows calls without TLS.
const PLAIN_HTTP: &str = "http://";

/// A host to which a secret may be sent, such as `hooks.slack.com`.
///
/// | written | covers |
/// | --- | --- |
/// | `a.example` | `https://a.example`, on port 443 only |
/// | `a.example:8443` | `https://a.example:8443` |
/// | `*.a.example` | `https://b.a.example` and `https://c.b.a.example`, not `https://a.example` |
/// | `http://a.example` | `http://a.example`, on port 80 only, without TLS |
/// | `http://127.0.0.1:8080` | `http://127.0.0.1:8080`, without TLS |
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretHost {
    is_https: bool,
    /// Whether the names below `host` are covered in place of it.
    has_wildcard: bool,
    /// Host in its normal form.
    host: String,
    port: u16,
    /// The entry as it is written.
    text: String,
}

/// Error for a text that names no host to which a secret may be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecretHost {
    /// The text is not a host.
    #[error(
        "must be a host such as a.example, a.example:8443, *.a.example or http://127.0.0.1:8080"
    )]
    NoHost,
    /// A name below a top-level domain, or an address, cannot have a wildcard.
    #[error("must have at least two names after *., as in *.a.example")]
    Wildcard,
    /// The text is a host that is not in its normal form, so it would be equal to no host of a URL.
    #[error("must be written as {0}")]
    NormalForm(String),
}

impl SecretHost {
    /// Returns whether a secret that is bound to this host may be sent to a URL.
    pub(crate) fn covers(&self, url: &HttpUrl) -> bool {
        let is_covered = match self.has_wildcard {
            true => is_below(url.host(), &self.host),
            false => url.host() == self.host,
        };
        is_covered && url.is_https() == self.is_https && url.port() == self.port
    }
}

impl FromStr for SecretHost {
    type Err = InvalidSecretHost;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (is_https, rest) = match text.strip_prefix(PLAIN_HTTP) {
            Some(rest) => (false, rest),
            None => (true, text),
        };
        let (has_wildcard, authority) = match rest.strip_prefix(BELOW) {
            Some(parent) => (true, parent),
            None => (false, rest),
        };
        let scheme = if is_https { "https" } else { "http" };
        if authority.contains(['/', '\\', '?', '#', '@', '*']) {
            return Err(InvalidSecretHost::NoHost);
        }
        let url = HttpUrl::parse(&format!("{scheme}://{authority}/"));
        let url = url.map_err(|_error| InvalidSecretHost::NoHost)?;
        let host = url.host();
        let is_name = host.contains(|c: char| c.is_ascii_alphabetic()) && !host.starts_with('[');
        let is_domain = is_name && host.trim_matches('.').contains('.');
        if has_wildcard && !is_domain {
            return Err(InvalidSecretHost::Wildcard);
        }
        if url.authority() != authority {
            let start = &text[..text.len() - authority.len()];
            return Err(InvalidSecretHost::NormalForm(format!("{start}{}", url.authority())));
        }
        let (host, port) = (host.to_owned(), url.port());
        Ok(Self { is_https, has_wildcard, host, port, text: text.to_owned() })
    }
}

impl fmt::Display for SecretHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for SecretHost {
    type Error = InvalidSecretHost;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SecretHost> for String {
    fn from(host: SecretHost) -> Self {
        host.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_bound_to_scheme_host_and_port() {
        for (entry, covered, others) in [
            (
                "a.example",
                &["https://a.example/x", "https://A.EXAMPLE:443"][..],
                &[
                    "http://a.example",
                    "http://a.example:443",
                    "https://a.example:8443",
                    "https://b.a.example",
                    "https://a.example.",
                    "https://a.example.evil",
                    "https://evil-a.example",
                    "https://evil/a.example",
                    "https://evil/?@a.example",
                ][..],
            ),
            (
                "*.a.example",
                &["https://b.a.example", "https://c.b.a.example"],
                &[
                    "https://a.example",
                    "https://ba.example",
                    "https://b.a.example.evil.example",
                    "https://.a.example",
                    "https://b.a.example:8443",
                    "http://b.a.example",
                ],
            ),
            ("a.example:8443", &["https://a.example:8443"], &["https://a.example"]),
            ("*.a.example:8443", &["https://b.a.example:8443"], &["https://b.a.example"]),
            (
                "http://a.example",
                &["http://a.example/", "http://a.example:80/"],
                &["https://a.example", "https://a.example:80", "http://a.example:8080"],
            ),
            (
                "http://127.0.0.1:8080",
                &["http://127.1:8080", "http://0x7f.1:8080"],
                &["http://127.0.0.1", "http://localhost:8080", "https://127.0.0.1:8080"],
            ),
            ("[::1]:8443", &["https://[0::1]:8443"], &["https://[::2]:8443"]),
        ] {
            let host: SecretHost = entry.parse().unwrap();
            assert_eq!(host.to_string(), entry);
            let covers = |url: &str| HttpUrl::parse(url).is_ok_and(|url| host.covers(&url));
            for url in covered {
                assert!(covers(url), "{entry} covers {url}");
            }
            for url in others {
                assert!(!covers(url), "{entry} does not cover {url}");
            }
        }
    }

    #[test]
    fn an_entry_that_would_never_match_or_match_too_much_is_refused() {
        use InvalidSecretHost::{NoHost, Wildcard};
        for (text, why) in [
            ("", NoHost),
            ("*", NoHost),
            ("a.example/path", NoHost),
            ("a.example?x", NoHost),
            ("https://a.example", NoHost),
            ("user@a.example", NoHost),
            ("a*.example", NoHost),
            ("*.*.example", NoHost),
            ("a.example:", NoHost),
            ("a.example:0", NoHost),
            ("a b", NoHost),
            ("*.", NoHost),
            ("*.com", Wildcard),
            ("*.com.", Wildcard),
            ("*.127.0.0.1", Wildcard),
            ("*.[::1]", Wildcard),
        ] {
            assert_eq!(text.parse::<SecretHost>(), Err(why), "{text:?}");
        }
        for (text, written) in [
            ("A.example", "a.example"),
            ("a.example:443", "a.example"),
            ("http://a.example:80", "http://a.example"),
            ("*.Bücher.example", "*.xn--bcher-kva.example"),
            ("http://127.1:8080", "http://127.0.0.1:8080"),
        ] {
            let refused = text.parse::<SecretHost>().unwrap_err();
            assert_eq!(refused, InvalidSecretHost::NormalForm(written.into()), "{text}");
        }
    }
}
