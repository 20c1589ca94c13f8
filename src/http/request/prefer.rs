//! `?wait=` and `Prefer: wait=N` (RFC 7240): the time that a client wants to wait for the end of a job.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;

use crate::http::problem::Rejection;
use crate::http::request::query::Parameters;
use crate::job::Span;
use crate::server::MAX_WAIT;

/// Name of the header.
pub(super) const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The time to wait for the end of a job or batch, and how the client asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Wait {
    /// The client does not want to wait.
    No,
    /// The client asked with the header, which the server may ignore.
    Preferred(Duration),
    /// The client asked with the query parameter, which the server must follow or refuse.
    Asked(Duration),
}

impl Wait {
    /// Returns the time to wait, if the client wants to wait.
    pub(in crate::http) fn span(self) -> Option<Duration> {
        match self {
            Self::No => None,
            Self::Preferred(span) | Self::Asked(span) => Some(span),
        }
    }
}

/// Returns the time to wait: that of the query parameter, else that of the header.
pub(in crate::http) fn wait(request: &HttpRequest) -> Result<Wait, Rejection> {
    given(Parameters::read(request, &["wait"])?.take("wait"), request)
}

/// Returns the time to wait: that of the query parameter, which a route with other parameters has read, else
/// that of the header.
pub(in crate::http) fn given(
    parameter: Option<String>,
    request: &HttpRequest,
) -> Result<Wait, Rejection> {
    match parameter {
        Some(text) => from_query(&text).map(Wait::Asked),
        None => Ok(from_header(request).map_or(Wait::No, Wait::Preferred)),
    }
}

/// Parses `30s`, or a number of seconds.
fn from_query(text: &str) -> Result<Duration, Rejection> {
    let span: Span = text.parse().map_err(|error| Rejection::bad_parameter("wait", error))?;
    if span.duration() > MAX_WAIT {
        let why = format!("must be at most {}s", MAX_WAIT.as_secs());
        return Err(Rejection::bad_parameter("wait", why));
    }
    Ok(span.duration())
}

/// Returns the preference of the header. An invalid one is ignored and one that is too long is shortened, as
/// RFC 7240 section 2 allows.
fn from_header(request: &HttpRequest) -> Option<Duration> {
    let values = request.headers().get_all(PREFER).filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split(','));
    let secs = preferences.find_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("wait") {
            return None;
        }
        value.trim().trim_matches('"').parse().ok()
    })?;
    Some(Duration::from_secs(secs).min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn header(value: &str) -> Option<Duration> {
        let request = TestRequest::default().insert_header(("prefer", value)).to_http_request();
        wait(&request).unwrap().span()
    }

    #[test]
    fn the_header_is_read_among_others() {
        assert_eq!(header("wait=5"), Some(Duration::from_secs(5)));
        assert_eq!(header("respond-async, Wait=\"7\""), Some(Duration::from_secs(7)));
        assert_eq!(header("wait=100000"), Some(MAX_WAIT));
        assert_eq!(header("wait=soon"), None);
    }

    #[test]
    fn the_query_takes_spans_and_seconds() {
        let query = |value: &str| {
            let uri = format!("/?wait={value}");
            wait(&TestRequest::with_uri(&uri).insert_header(("prefer", "wait=9")).to_http_request())
        };
        assert_eq!(query("500ms").unwrap(), Wait::Asked(Duration::from_millis(500)));
        assert_eq!(query("5").unwrap(), Wait::Asked(Duration::from_secs(5)));
        assert_eq!(query("0.25").unwrap(), Wait::Asked(Duration::from_millis(250)));
        assert!(query("2m").is_err());
        assert!(query("-1").is_err());
        assert!(query("x").is_err());
    }
}
