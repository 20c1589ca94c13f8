//! URLs of other servers, parsed by the rules of the WHATWG URL standard.

use std::fmt;

use url::{ParseError, Url, form_urlencoded};

/// Maximum length of a URL after parsing, in bytes. The HTTP client accepts no longer ones.
const MAX_LEN: usize = 65_000;

/// An absolute `http` or `https` URL without user name, password and fragment.
///
/// A value is always in its normal form, which is also what is dialled and sent:
///
/// | written | normal form |
/// | --- | --- |
/// | `http://host:80?a=b` | `http://host/?a=b` |
/// | `HTTP://Bücher.example/a/../ä b#top` | `http://xn--bcher-kva.example/%C3%A4%20b` |
/// | `http://2130706433`, `http://0x7f.1` | `http://127.0.0.1/` |
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HttpUrl(Url);

/// Reason why a text is not a URL that can be called, as a predicate of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidUrl {
    /// The standard removes these characters silently; a URL that has them is a mistake.
    #[error("must not contain tabs, line breaks or other control characters")]
    ControlCharacter,
    /// The standard removes these spaces silently; a URL that has them is a mistake.
    #[error("must not start or end with a space")]
    SurroundingSpace,
    /// The URL is relative or has another scheme.
    #[error("must start with http:// or https://")]
    Scheme,
    /// The host is empty, for example because a variable in a script is not set.
    #[error("must name a host")]
    NoHost,
    /// The host is neither a domain name nor an IP address.
    #[error("must name a host that is a valid {0}")]
    Host(&'static str),
    /// The host is an IPv6 address with a zone, which only this machine knows.
    #[error("must not have a zone id (%) in its host; zone ids are not allowed")]
    ZoneId,
    /// The port is empty, zero, not a number or too large.
    #[error("has an invalid port; a port must be between 1 and 65535")]
    Port,
    /// The URL contains a user name or a password.
    #[error("must not contain a user name or password; send them in a header")]
    Credentials,
    /// The URL is too long for the HTTP client.
    #[error("must not be longer than {MAX_LEN} bytes")]
    TooLong,
    /// A path is appended to the URL, so it must end with its path.
    #[error("must not have a query or fragment, because paths are appended to it")]
    NotABase,
}

/// A parameter in the query of a URL.
pub(crate) struct QueryParameter {
    /// Decoded name.
    pub(crate) name: String,
    /// Decoded value.
    pub(crate) value: String,
    /// Value as it is written in the URL.
    pub(crate) written_value: String,
}

impl HttpUrl {
    /// Parses a URL. A fragment is removed.
    ///
    /// # Errors
    /// Returns [`InvalidUrl`] if the text is not an absolute `http` or `https` URL. In addition to
    /// what the standard refuses, these are refused: control characters, surrounding spaces,
    /// credentials, an empty port, and more or fewer than two slashes before the host.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidUrl> {
        let authority = check_form(text)?;
        let mut url = Url::parse(text).map_err(|error| match error {
            ParseError::EmptyHost => InvalidUrl::NoHost,
            ParseError::InvalidPort => InvalidUrl::Port,
            ParseError::InvalidIpv4Address => InvalidUrl::Host("IPv4 address"),
            ParseError::InvalidIpv6Address if authority.contains('%') => InvalidUrl::ZoneId,
            ParseError::InvalidIpv6Address => InvalidUrl::Host("IPv6 address"),
            _ => InvalidUrl::Host("domain name"),
        })?;
        if authority.ends_with(':') || url.port() == Some(0) {
            return Err(InvalidUrl::Port);
        }
        url.set_fragment(None);
        Self(url).check_len()
    }

    /// Parses a URL to which paths are appended.
    ///
    /// # Errors
    /// Returns [`InvalidUrl`] as [`HttpUrl::parse`] does, and if the URL has a query or a fragment.
    pub(crate) fn parse_base(text: &str) -> Result<Self, InvalidUrl> {
        let url = Self::parse(text)?;
        if text.contains(['?', '#']) { Err(InvalidUrl::NotABase) } else { Ok(url) }
    }

    /// Appends a path that starts with a slash, and may have a query: `http://a/v1/` and `/b?c` become
    /// `http://a/v1/b?c`.
    ///
    /// # Errors
    /// Returns [`InvalidUrl::TooLong`] if the result is too long.
    pub(crate) fn join(&self, path_and_query: &str) -> Result<Self, InvalidUrl> {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_and_query, None),
        };
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        url.set_query(query);
        Self(url).check_len()
    }

    /// Appends query parameters, percent-encoded: `http://a/?b` and `c = "d e"` become
    /// `http://a/?b&c=d%20e`.
    ///
    /// # Errors
    /// Returns [`InvalidUrl::TooLong`] if the result is too long.
    pub(crate) fn add_parameters<'a>(
        &self,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, InvalidUrl> {
        // The encoding of forms has no `%20`, and encodes a plus sign.
        let encode = |text: &str| {
            form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
        };
        let mut query = self.0.query().unwrap_or_default().to_owned();
        for (name, value) in parameters {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(&format!("{}={}", encode(name), encode(value)));
        }
        let mut url = self.0.clone();
        if !query.is_empty() {
            url.set_query(Some(&query));
        }
        Self(url).check_len()
    }

    fn check_len(self) -> Result<Self, InvalidUrl> {
        if self.0.as_str().len() > MAX_LEN { Err(InvalidUrl::TooLong) } else { Ok(self) }
    }

    /// Returns the whole URL.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns whether the scheme is `https`.
    pub(crate) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns the host, with the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Returns the port, which is that of the scheme if the URL names none.
    pub(crate) fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }

    /// Returns the host, and the port unless it is that of the scheme: the value of the `Host` header.
    pub(crate) fn authority(&self) -> &str {
        self.0.authority()
    }

    /// Returns the path and the query, which are the target of a request.
    pub(crate) fn path_and_query(&self) -> &str {
        &self.0[url::Position::BeforePath..url::Position::AfterQuery]
    }

    /// Returns the parameters of the query.
    pub(crate) fn query_parameters(&self) -> impl Iterator<Item = QueryParameter> {
        let parts = self.0.query().unwrap_or_default().split('&');
        parts.filter_map(|part| {
            let (name, value) = form_urlencoded::parse(part.as_bytes()).next()?;
            let written_value = part.split_once('=').map_or("", |(_, value)| value).to_owned();
            Some(QueryParameter {
                name: name.into_owned(),
                value: value.into_owned(),
                written_value,
            })
        })
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Checks what the standard would repair silently, and returns the part between the slashes and the
/// path.
fn check_form(text: &str) -> Result<&str, InvalidUrl> {
    if text.contains(|c: char| c.is_ascii_control()) {
        return Err(InvalidUrl::ControlCharacter);
    }
    if text.starts_with(' ') || text.ends_with(' ') {
        return Err(InvalidUrl::SurroundingSpace);
    }
    let (scheme, after_scheme) = text.split_once("://").ok_or(InvalidUrl::Scheme)?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(InvalidUrl::Scheme);
    }
    // The standard reads a backslash as a slash.
    let authority = after_scheme.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    match authority {
        "" => Err(InvalidUrl::NoHost),
        _ if authority.contains('@') => Err(InvalidUrl::Credentials),
        _ => Ok(authority),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal_form(text: &str) -> String {
        HttpUrl::parse(text).map_or_else(|why| format!("{text} {why}"), |url| url.as_str().into())
    }

    #[test]
    fn a_url_is_brought_into_its_normal_form() {
        for (text, expected) in [
            ("http://127.0.0.1:8000?token=abc", "http://127.0.0.1:8000/?token=abc"),
            ("http://host", "http://host/"),
            ("http://host#top", "http://host/"),
            ("http://host?#", "http://host/?"),
            ("HTTPS://HOST:443/A", "https://host/A"),
            ("http://host:80/", "http://host/"),
            ("https://host:80/", "https://host:80/"),
            ("http://host:0080/", "http://host/"),
            ("http://bücher.example/ä?ö", "http://xn--bcher-kva.example/%C3%A4?%C3%B6"),
            ("http://例え.テスト/", "http://xn--r8jz45g.xn--zckzah/"),
            ("http://ｅｘａｍｐｌｅ。com/", "http://example.com/"),
            ("http://%31%32%37.0.0.1/", "http://127.0.0.1/"),
            ("http://127.1/", "http://127.0.0.1/"),
            ("http://0x7f.1/", "http://127.0.0.1/"),
            ("http://0177.0.0.01/", "http://127.0.0.1/"),
            ("http://2130706433/", "http://127.0.0.1/"),
            ("http://127.0.0.1./", "http://127.0.0.1/"),
            ("http://[0:0:0::1]:80/", "http://[::1]/"),
            ("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
            ("http://host/a/./b/../c", "http://host/a/c"),
            ("http://host/%2e%2E/../x", "http://host/x"),
            ("http://host\\a\\..\\b", "http://host/b"),
            ("http://host/a b?c d", "http://host/a%20b?c%20d"),
            ("http://host/{a}|^\"<>`", "http://host/%7Ba%7D|^%22%3C%3E%60"),
            ("http://host/%zz%", "http://host/%zz%"),
            ("http://host//a//", "http://host//a//"),
        ] {
            assert_eq!(normal_form(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_callable_url_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", InvalidUrl::Scheme),
            ("/path", InvalidUrl::Scheme),
            ("host:80/x", InvalidUrl::Scheme),
            ("ftp://a/", InvalidUrl::Scheme),
            ("http:host", InvalidUrl::Scheme),
            ("http:/host", InvalidUrl::Scheme),
            ("http:\\\\host", InvalidUrl::Scheme),
            ("file:///etc/passwd", InvalidUrl::Scheme),
            ("http://", InvalidUrl::NoHost),
            ("http:///v1", InvalidUrl::NoHost),
            ("http://?a", InvalidUrl::NoHost),
            ("http://:80/", InvalidUrl::NoHost),
            ("http://a\tb/", InvalidUrl::ControlCharacter),
            ("http://a/\r\nx: y", InvalidUrl::ControlCharacter),
            ("http://a/\u{0}", InvalidUrl::ControlCharacter),
            (" http://a/", InvalidUrl::SurroundingSpace),
            ("http://a/ ", InvalidUrl::SurroundingSpace),
            ("http://user@a/", InvalidUrl::Credentials),
            ("http://user:pass@a/", InvalidUrl::Credentials),
            ("http://@a/", InvalidUrl::Credentials),
            ("http://a:b@c@d/", InvalidUrl::Credentials),
            ("http://a:/", InvalidUrl::Port),
            ("http://a:0/", InvalidUrl::Port),
            ("http://a:65536/", InvalidUrl::Port),
            ("http://a:b/", InvalidUrl::Port),
            ("http://a b/", InvalidUrl::Host("domain name")),
            ("http://a%00b/", InvalidUrl::Host("domain name")),
            ("http://256.0.0.1/", InvalidUrl::Host("IPv4 address")),
            ("http://1.2.3.4.5/", InvalidUrl::Host("IPv4 address")),
            ("http://[::1/", InvalidUrl::Host("IPv6 address")),
            ("http://[fe80::1%25eth0]/", InvalidUrl::ZoneId),
            ("http://[fe80::1%eth0]:80/", InvalidUrl::ZoneId),
            ("http://xn--a/", InvalidUrl::Host("domain name")),
        ] {
            assert_eq!(HttpUrl::parse(text), Err(reason), "{text:?}");
        }
        let long = format!("http://a/{}", "ä".repeat(20_000));
        assert_eq!(HttpUrl::parse(&long), Err(InvalidUrl::TooLong));
    }

    #[test]
    fn a_path_is_appended_to_a_base_url() {
        for base in ["https://a/v1", "https://a/v1/", "https://A:443/v1//"] {
            let url = HttpUrl::parse_base(base).unwrap().join("/chat/completions");
            assert_eq!(url.unwrap().as_str(), "https://a/v1/chat/completions");
        }
        for (path, url) in [
            ("/x", "http://a/x"),
            ("/x?", "http://a/x?"),
            ("/?b=ä c", "http://a/?b=%C3%A4%20c"),
            ("/x?b?c", "http://a/x?b?c"),
            ("/%2F/ ", "http://a/%2F/%20"),
        ] {
            assert_eq!(HttpUrl::parse_base("http://a").unwrap().join(path).unwrap().as_str(), url);
        }
        for base in ["http://a?", "http://a/v1?x=1", "http://a#"] {
            assert_eq!(HttpUrl::parse_base(base), Err(InvalidUrl::NotABase), "{base}");
        }
    }

    #[test]
    fn parameters_are_appended_to_a_query() {
        for (url, expected) in [
            ("http://a/", "http://a/?api-version=2024-06-01&%C3%A4%26=%2B%20%25%3D%23"),
            ("http://a/x?", "http://a/x?api-version=2024-06-01&%C3%A4%26=%2B%20%25%3D%23"),
            ("http://a/?b%20", "http://a/?b%20&api-version=2024-06-01&%C3%A4%26=%2B%20%25%3D%23"),
        ] {
            let parameters = [("api-version", "2024-06-01"), ("ä&", "+ %=#")];
            let url = HttpUrl::parse(url).unwrap().add_parameters(parameters).unwrap();
            assert_eq!(url.as_str(), expected);
        }
        let url = HttpUrl::parse("http://a/x").unwrap();
        assert_eq!(url.add_parameters([]).unwrap(), url);
        let long = "x".repeat(66_000);
        assert_eq!(url.add_parameters([("a", &*long)]), Err(InvalidUrl::TooLong));
        assert_eq!(url.join(&format!("/{long}")), Err(InvalidUrl::TooLong));
    }

    #[test]
    fn the_parts_of_a_url_are_those_of_its_normal_form() {
        let url = HttpUrl::parse("https://[::0001]?key=a%20b").unwrap();
        assert_eq!((url.host(), url.port(), url.authority()), ("[::1]", 443, "[::1]"));
        assert_eq!((url.path_and_query(), url.is_https()), ("/?key=a%20b", true));
        let mut parameters = url.query_parameters();
        let QueryParameter { name, value, written_value } = parameters.next().unwrap();
        assert_eq!((&*name, &*value, &*written_value), ("key", "a b", "a%20b"));
        assert!(parameters.next().is_none());
    }
}
