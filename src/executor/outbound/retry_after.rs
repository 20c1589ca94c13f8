//! The pause before the next attempt, as requested by the server.

use std::time::Duration;

use awc::http::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

use crate::job::time::{Span, Timestamp};

/// Header that some model servers send in addition, in milliseconds. It is not standardised.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// Returns the pause that the response headers request: `retry-after-ms` if it is valid, otherwise
/// `Retry-After` as a number of seconds or as a date (RFC 9110, section 10.2.3).
///
/// Fractions of a second are accepted too, although the RFC does not allow them. A date in the past
/// requests no pause, and a number or a date that is too large the longest pause. Other values are
/// ignored. The job's backoff bounds the pause (see [`settle`](crate::job::outcome::settle)).
pub(super) fn retry_in(headers: &HeaderMap, now: Timestamp) -> Option<Span> {
    in_millis(headers).or_else(|| in_seconds(headers)).or_else(|| until_date(headers, now))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn in_millis(headers: &HeaderMap) -> Option<Span> {
    seconds(text(headers, &RETRY_AFTER_MS)?.parse::<f64>().ok()? / 1e3)
}

fn in_seconds(headers: &HeaderMap) -> Option<Span> {
    seconds(text(headers, &RETRY_AFTER)?.parse().ok()?)
}

fn seconds(seconds: f64) -> Option<Span> {
    (seconds.is_finite() && seconds >= 0.0).then_some(())?;
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or(Span::MAX);
    Some(Span::new(duration.min(Span::MAX)))
}

/// Returns the time until the date in `Retry-After`, measured by the server's clock if the response
/// has a `Date` header (RFC 9110, section 6.6.1), and by `now` otherwise.
fn until_date(headers: &HeaderMap, now: Timestamp) -> Option<Span> {
    let date = |name| httpdate::parse_http_date(text(headers, name)?).ok().map(Timestamp::from);
    let pause = date(&RETRY_AFTER)?.since(date(&DATE).unwrap_or(now));
    Some(Span::new(pause.min(Span::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(headers: &[(&'static str, &'static str)]) -> Option<u128> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        // 1994-11-06T08:49:00Z
        let now = Timestamp::from_millis(784_111_740_000);
        retry_in(&map, now).map(|span| span.duration().as_millis())
    }

    #[test]
    fn seconds_and_dates_are_parsed() {
        assert_eq!(pause(&[("retry-after", "120")]), Some(120_000));
        assert_eq!(pause(&[("retry-after", "0.5")]), Some(500));
        assert_eq!(pause(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")]), Some(37_000));
        assert_eq!(pause(&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")]), Some(0));
    }

    #[test]
    fn a_date_is_compared_with_the_servers_clock() {
        let headers = [
            ("date", "Sun, 06 Nov 1994 08:49:30 GMT"),
            ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ];
        assert_eq!(pause(&headers), Some(7_000));
    }

    #[test]
    fn milliseconds_take_precedence_over_seconds() {
        assert_eq!(pause(&[("retry-after-ms", "1500"), ("retry-after", "2")]), Some(1_500));
        assert_eq!(pause(&[("retry-after-ms", "soon"), ("retry-after", "2")]), Some(2_000));
    }

    #[test]
    fn an_invalid_value_is_ignored() {
        for text in ["", "soon", "-1", "-1e-9", "NaN", "inf", "-inf", "1e999", "5s", "1,2", "0x5"] {
            assert_eq!(pause(&[("retry-after", text)]), None, "{text}");
            assert_eq!(pause(&[("retry-after-ms", text), ("retry-after", "3")]), Some(3_000));
        }
    }

    #[test]
    fn zero_is_no_pause_and_a_huge_value_is_the_longest_pause() {
        for text in ["0", "0.0", "-0", " 0 "] {
            assert_eq!(pause(&[("retry-after", text)]), Some(0), "{text}");
        }
        let longest = Some(Span::MAX.as_millis());
        for text in ["1e18", "99999999999999999999999", "1e300"] {
            assert_eq!(pause(&[("retry-after", text)]), longest, "{text}");
        }
        assert_eq!(pause(&[("retry-after-ms", "99999999999999999999999")]), longest);
        assert_eq!(pause(&[("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")]), longest);
    }
}
