//! The sender of a request: whether a browser sent it for a page of this server.

/// Who sent a request, as far as its headers say.
///
/// Every browser since 2023 sends `Sec-Fetch-Site` over TLS and to this machine, and every browser since 2020
/// sends `Origin` with each request that is neither `GET` nor `HEAD`. A page can set neither of them. So a request
/// of another site is always recognized. A request with neither header comes from a program or from an older
/// browser, and the server cannot distinguish them. So a change with a cookie needs one of the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A page of this server.
    OwnPage,
    /// A page of another site.
    OtherSite,
    /// A program, or a user who typed the address.
    Unknown,
}

impl Sender {
    /// Returns the sender of a request with these headers to a server that the client sees under `scheme` and
    /// `host`.
    ///
    /// The host is compared even if the browser says that the page has the same origin. The scheme is not: the
    /// browser has compared it, and a proxy that ends TLS without being in `trusted_proxies` hides it from this
    /// server.
    pub(crate) fn of(
        fetch_site: Option<&[u8]>,
        origin: Option<&[u8]>,
        (scheme, host): (&str, &str),
    ) -> Self {
        let is_same_origin = match fetch_site {
            Some(b"cross-site" | b"same-site") => return Self::OtherSite,
            site => site == Some(b"same-origin"),
        };
        let Some(origin) = origin else {
            return if is_same_origin { Self::OwnPage } else { Self::Unknown };
        };
        let parts = std::str::from_utf8(origin).ok().and_then(|origin| origin.split_once("://"));
        let is_own = parts.is_some_and(|(origin_scheme, origin_host)| {
            without_default_port(origin_scheme, origin_host)
                == without_default_port(origin_scheme, host)
                && (is_same_origin || origin_scheme == scheme)
        });
        if is_own { Self::OwnPage } else { Self::OtherSite }
    }
}

/// Returns a host without the port that a browser omits for the scheme.
fn without_default_port<'a>(scheme: &str, host: &'a str) -> &'a str {
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return host,
    };
    host.strip_suffix(port).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fetch_site: &str, origin: &str, own: (&str, &str)) -> Sender {
        let value = |text: &'static str| Some(text.as_bytes()).filter(|bytes| !bytes.is_empty());
        let (fetch_site, origin) = (fetch_site.to_owned().leak(), origin.to_owned().leak());
        Sender::of(value(fetch_site), value(origin), own)
    }

    #[test]
    fn an_origin_is_ours_if_its_scheme_and_host_are() {
        for (origin, own) in [
            ("http://127.0.0.1:7373", ("http", "127.0.0.1:7373")),
            ("http://[::1]:7373", ("http", "[::1]:7373")),
            ("https://jobs.example", ("https", "jobs.example")),
            ("https://jobs.example", ("https", "jobs.example:443")),
            ("http://jobs.example", ("http", "jobs.example:80")),
        ] {
            assert_eq!(of("", origin, own), Sender::OwnPage, "{origin}");
            assert_eq!(of("same-origin", origin, own), Sender::OwnPage, "{origin}");
        }
        for (origin, own) in [
            ("http://jobs.example", ("https", "jobs.example")),
            ("https://jobs.example", ("http", "jobs.example")),
            ("http://jobs.example", ("http", "jobs.example:443")),
            ("https://jobs.example:8443", ("https", "jobs.example")),
            ("https://jobs.example.evil.example", ("https", "jobs.example")),
            ("https://evil.example", ("https", "jobs.example")),
            ("https://jobs.example", ("https", "")),
            ("null", ("https", "jobs.example")),
            ("jobs.example", ("https", "jobs.example")),
            ("\u{e9}", ("https", "jobs.example")),
        ] {
            assert_eq!(of("", origin, own), Sender::OtherSite, "{origin}");
            assert_eq!(of("none", origin, own), Sender::OtherSite, "{origin}");
        }
    }

    #[test]
    fn what_the_browser_says_about_the_site_counts() {
        let own = ("http", "jobs.example");
        assert_eq!(of("same-origin", "", own), Sender::OwnPage);
        for site in ["cross-site", "same-site"] {
            assert_eq!(of(site, "", own), Sender::OtherSite, "{site}");
            assert_eq!(of(site, "http://jobs.example", own), Sender::OtherSite, "{site}");
        }
        for site in ["", "none", "Same-Origin", "other"] {
            assert_eq!(of(site, "", own), Sender::Unknown, "{site}");
        }
        // A proxy that is not known has ended TLS.
        assert_eq!(of("same-origin", "https://jobs.example", own), Sender::OwnPage);
        assert_eq!(of("same-origin", "https://evil.example", own), Sender::OtherSite);
    }
}
