//! Timestamps and durations, in the forms that the database, JSON and the configuration use.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
///
/// The database stores the number; JSON shows RFC 3339 with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Years 1 to 9999 without the last day, so that a timestamp can be written in every time zone.
    const RANGE_MS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_207_200_000;

    /// Creates a timestamp from milliseconds since 1970, limited to the years of RFC 3339.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(*Self::RANGE_MS.start(), *Self::RANGE_MS.end()))
    }

    /// Returns the milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Returns the time `span` later, at most the end of the year 9999.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let span_ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_add(span_ms))
    }

    /// Returns the time `span` earlier, at least the start of the year 1.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        let span_ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_sub(span_ms))
    }

    /// Returns the duration from `earlier` to this time, or zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(span) => Self(0).plus(span),
            Err(before) => Self(0).minus(before.duration()),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MIN);
        write!(f, "{instant:.3}")
    }
}

/// Error for a text that is not an RFC 3339 timestamp.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a time in RFC 3339, for example 2030-01-31T12:00:00Z")]
pub struct InvalidTime;

impl FromStr for Timestamp {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        match text.parse::<jiff::Timestamp>() {
            Ok(instant) => Ok(Self::from_millis(instant.as_millisecond())),
            Err(_) => Err(InvalidTime),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A duration, written like `"30s"`, `"5m"` or `"1h 30m"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(Duration);

impl Span {
    /// Longest duration that is accepted anywhere: 10 years.
    pub const MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

    /// Creates a span from a standard duration.
    pub const fn new(duration: Duration) -> Self {
        Self(duration)
    }

    /// Creates a span of whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// Creates a span from milliseconds, the form that the database stores.
    pub fn from_millis(millis: i64) -> Self {
        Self(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
    }

    /// Returns the span as a standard duration.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Returns the span in milliseconds, the form that the database stores.
    pub fn millis(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed = SignedDuration::try_from(self.0).unwrap_or(SignedDuration::MAX);
        write!(f, "{signed:#}")
    }
}

/// Error for a text that is not a duration or is out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpan {
    /// The text is not a duration.
    #[error(
        "must be a duration: a number with its unit, for example \"500ms\", \"30s\", \"5m\" or \"2h\""
    )]
    Unreadable,
    /// The duration is negative or longer than ten years.
    #[error("must be between zero and ten years")]
    OutOfRange,
}

impl FromStr for Span {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        let Ok(signed) = text.parse::<SignedDuration>() else {
            return Err(InvalidSpan::Unreadable);
        };
        match Duration::try_from(signed) {
            Ok(duration) if duration <= Self::MAX => Ok(Self(duration)),
            _ => Err(InvalidSpan::OutOfRange),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_parses_back_from_its_text() {
        let time: Timestamp = "2030-01-31T12:00:00.250Z".parse().unwrap();
        assert_eq!(time.to_string(), "2030-01-31T12:00:00.250Z");
        assert_eq!("2030-01-31T14:00:00.25+02:00".parse(), Ok(time));
        assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!("tomorrow".parse::<Timestamp>(), Err(InvalidTime));
    }

    #[test]
    fn arithmetic_is_limited_to_the_range_of_timestamps() {
        let end = Timestamp::from_millis(i64::MAX);
        assert_eq!(end.plus(Duration::MAX), end);
        assert_eq!(end.to_string(), "9999-12-30T22:00:00.000Z");
        assert_eq!(Timestamp::from_millis(5).since(Timestamp::from_millis(9)), Duration::ZERO);
    }

    #[test]
    fn a_span_is_written_with_its_unit() {
        assert_eq!("5m".parse(), Ok(Span::from_secs(300)));
        assert_eq!("1h 30m".parse(), Ok(Span::from_secs(5400)));
        assert_eq!("250ms".parse(), Ok(Span::from_millis(250)));
        assert_eq!(Span::from_secs(5400).to_string(), "1h 30m");
        assert_eq!("5".parse::<Span>(), Err(InvalidSpan::Unreadable));
        assert_eq!("-5s".parse::<Span>(), Err(InvalidSpan::OutOfRange));
    }
}
