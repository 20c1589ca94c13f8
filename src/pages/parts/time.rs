//! Times and durations as short text for people.

use std::fmt;
use std::time::Duration;

use askama::filters::HtmlSafe;

use crate::job::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A time relative to now, such as "12 s ago". Its HTML also holds the exact time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RelativeTime {
    at: Timestamp,
    now: Timestamp,
}

impl RelativeTime {
    pub(crate) fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { at, now }
    }
}

impl fmt::Display for RelativeTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        write!(f, "<time datetime=\"{at}\" title=\"{at}\">")?;
        let (past, ahead) = (self.now.since(at), at.since(self.now));
        if ahead.as_secs() > 0 {
            write!(f, "in {}", CoarseDuration(ahead))?;
        } else if past.as_secs() == 0 {
            f.write_str("just now")?;
        } else {
            write!(f, "{} ago", CoarseDuration(past))?;
        }
        f.write_str("</time>")
    }
}

/// The HTML consists of digits and fixed words.
impl HtmlSafe for RelativeTime {}

/// A duration in whole units of its largest unit.
struct CoarseDuration(Duration);

impl fmt::Display for CoarseDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            secs if secs < MINUTE => write!(f, "{secs} s"),
            secs if secs < HOUR => write!(f, "{} min", secs / MINUTE),
            secs if secs < 2 * DAY => write!(f, "{} h", secs / HOUR),
            secs => write!(f, "{} days", secs / DAY),
        }
    }
}

/// A duration with about three significant digits, such as "1.23 s".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DurationText(Duration);

impl DurationText {
    pub(crate) fn new(duration: Duration) -> Self {
        Self(duration)
    }

    pub(crate) fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }
}

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, millis) = (self.0.as_secs(), self.0.as_millis());
        match secs {
            _ if millis < 1_000 => write!(f, "{millis} ms"),
            _ if millis < 10_000 => write!(f, "{:.2} s", self.0.as_secs_f64()),
            secs if secs < MINUTE => write!(f, "{:.1} s", self.0.as_secs_f64()),
            secs if secs < HOUR => write!(f, "{} min {} s", secs / MINUTE, secs % MINUTE),
            secs if secs < DAY => write!(f, "{} h {} min", secs / HOUR, secs % HOUR / MINUTE),
            secs => write!(f, "{} d {} h", secs / DAY, secs % DAY / HOUR),
        }
    }
}

impl HtmlSafe for DurationText {}

#[cfg(test)]
mod tests {
    use super::*;

    fn relative(at_ms: i64) -> String {
        let now = Timestamp::from_millis(200 * DAY as i64 * 1_000);
        let html = RelativeTime::new(Timestamp::from_millis(now.millis() + at_ms), now).to_string();
        let (_, text) = html.split_once('>').unwrap();
        text.strip_suffix("</time>").unwrap().to_owned()
    }

    #[test]
    fn a_time_is_shown_relative_to_now() {
        assert_eq!(relative(0), "just now");
        assert_eq!(relative(-999), "just now");
        assert_eq!(relative(-12_345), "12 s ago");
        assert_eq!(relative(-61_000), "1 min ago");
        assert_eq!(relative(-47 * 3_600_000), "47 h ago");
        assert_eq!(relative(-100 * 86_400_000), "100 days ago");
        assert_eq!(relative(90_000), "in 1 min");
    }

    #[test]
    fn the_html_holds_the_exact_time() {
        let at = Timestamp::from_millis(0);
        let exact = "datetime=\"1970-01-01T00:00:00.000Z\" title=\"1970-01-01T00:00:00.000Z\"";
        assert!(RelativeTime::new(at, at).to_string().contains(exact));
    }

    #[test]
    fn a_duration_has_about_three_significant_digits() {
        let text = |millis| DurationText::millis(millis).to_string();
        assert_eq!(text(7), "7 ms");
        assert_eq!(text(1_234), "1.23 s");
        assert_eq!(text(12_345), "12.3 s");
        assert_eq!(text(125_000), "2 min 5 s");
        assert_eq!(text(3_720_000), "1 h 2 min");
        assert_eq!(text(90_000_000), "1 d 1 h");
    }
}
