//! The server and the resource that a call goes to.

use actix_tls::connect::Host;
use awc::http::Uri;
use awc::http::header::HeaderValue;

use crate::config::{HttpUrl, InvalidUrl};

/// On whose behalf a call is made, which decides the addresses that it may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::executor) enum Caller {
    /// A job, whose URL comes from a client.
    Job,
    /// A provider, whose URL comes from the configuration.
    Provider,
}

/// What is dialled and requested. Everything comes from one URL in its normal form: the address to
/// connect to, the TLS name, the `Host` header and the request target.
#[derive(Debug, Clone)]
pub(in crate::executor) struct Target {
    /// URL for awc. Connections handle TLS themselves (see `stream.rs`), so the scheme is always
    /// `http`: `https://host/` becomes `http://host:443/`.
    pub(super) uri: Uri,
    /// Whether the connection uses TLS.
    pub(super) has_tls: bool,
    /// Value of the `Host` header.
    pub(super) host: HeaderValue,
    /// URL from which the other fields were made.
    pub(in crate::executor) url: HttpUrl,
    /// On whose behalf the call is made.
    pub(super) caller: Caller,
}

impl Target {
    /// Parses a URL.
    ///
    /// # Errors
    /// Returns the reason, as a predicate of the URL, if it cannot be called.
    pub(in crate::executor) fn parse(text: &str) -> Result<Self, String> {
        HttpUrl::parse(text).map_err(|why| why.to_string())?.try_into()
    }

    /// Marks a target whose host is that of a configured provider. Its calls may reach every address but
    /// those of this server, and share no connection with the calls of other jobs.
    #[must_use]
    pub(in crate::executor) fn for_provider(self) -> Self {
        Self { caller: Caller::Provider, ..self }
    }
}

impl TryFrom<HttpUrl> for Target {
    type Error = String;

    fn try_from(url: HttpUrl) -> Result<Self, String> {
        let authority = match url.is_https() {
            true => format!("{}:{}", url.host(), url.port()),
            false => url.authority().to_owned(),
        };
        let builder = Uri::builder().scheme("http").authority(authority);
        let uri = builder.path_and_query(url.path_and_query()).build();
        match (uri, HeaderValue::from_str(url.authority())) {
            (Ok(uri), Ok(host)) => {
                let (has_tls, caller) = (url.is_https(), Caller::Job);
                Ok(Self { uri, has_tls, host, url, caller })
            }
            // The standard allows characters in a host that awc does not accept, such as `{`.
            (Err(_), _) | (_, Err(_)) => Err(InvalidUrl::Host("domain name").to_string()),
        }
    }
}

/// Name of a server as its certificate shows it: without the brackets of an IPv6 address.
#[derive(Debug)]
pub(super) struct TlsName(String);

impl TlsName {
    /// Returns the name of the host in a target's URL.
    pub(super) fn of(uri: &Uri) -> Self {
        let host = uri.host().unwrap_or_default();
        Self(host.trim_start_matches('[').trim_end_matches(']').to_owned())
    }
}

impl Host for TlsName {
    fn hostname(&self) -> &str {
        &self.0
    }

    fn port(&self) -> Option<u16> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_target_comes_from_the_normal_form_of_its_url() {
        for (url, uri, host, has_tls) in [
            ("https://host/a?b", "http://host:443/a?b", "host", true),
            ("https://host:8443/", "http://host:8443/", "host:8443", true),
            ("https://host:80/", "http://host:80/", "host:80", true),
            ("https://[::1]", "http://[::1]:443/", "[::1]", true),
            ("http://host:443?a#b", "http://host:443/?a", "host:443", false),
            ("http://0x7f.1:80/ä b", "http://127.0.0.1/%C3%A4%20b", "127.0.0.1", false),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(target.uri.to_string(), uri, "{url}");
            assert_eq!((target.host.to_str().unwrap(), target.has_tls), (host, has_tls), "{url}");
        }
        let tls_name = TlsName::of(&Target::parse("https://[0::1]/").unwrap().uri);
        assert_eq!(tls_name.hostname(), "::1");
    }

    #[test]
    fn every_accepted_url_can_be_sent() {
        let printable: String = (' '..='~').collect();
        for text in [
            format!("http://host/{printable}?{printable}#{printable}"),
            format!("http://host/{}", "a".repeat(60_000)),
            "http://host/\u{1f600}?\u{1f600}".into(),
        ] {
            Target::parse(&text).unwrap_or_else(|why| panic!("{text} {why}"));
        }
        for text in ["http://a{b}/", "http://a\"b/", "http://a`b/"] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }
}
