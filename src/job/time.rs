//! Timestamps and durations, in the forms that the database, JSON and the configuration use.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use jiff::fmt::StdFmtWrite;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::{SignedDuration, SpanRelativeTo};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

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

/// Writes RFC 3339 with milliseconds.
const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MIN);
        PRINTER.print_timestamp(&instant, StdFmtWrite(f)).map_err(|_unwritten| fmt::Error)
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

/// A duration, written like `"30s"`, `"1h 30m"` or `"2d"`, or as a number of seconds such as `90` or `0.5`.
///
/// A number is rounded to whole milliseconds, and a day has 24 hours. Output is always text.
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

const SECONDS_PER_DAY: f64 = 86_400.0;

/// Forms of a duration, for messages.
const SPAN_FORMS: &str = "a number of seconds such as 90 or 0.5, or a text with units such as \
    \"500ms\", \"30s\", \"1h 30m\" or \"2d\"";

/// Error for a value that is not a duration or is out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpan {
    /// The value is not a duration.
    #[error("must be a duration: {SPAN_FORMS}")]
    Unreadable,
    /// The duration is negative or longer than ten years.
    #[error("must be between zero and ten years")]
    OutOfRange,
}

impl Span {
    /// Creates a span from a number of seconds, rounded to whole milliseconds.
    ///
    /// # Errors
    /// Returns [`InvalidSpan::OutOfRange`] if `secs` is negative or more than ten years, and
    /// [`InvalidSpan::Unreadable`] if it is not a number.
    pub fn try_from_secs(secs: f64) -> Result<Self, InvalidSpan> {
        if secs.is_nan() {
            return Err(InvalidSpan::Unreadable);
        }
        if !(0.0..=Self::MAX.as_secs_f64()).contains(&secs) {
            return Err(InvalidSpan::OutOfRange);
        }
        Ok(Self(Duration::from_millis((secs * 1_000.0).round() as u64)))
    }

    /// Parses a text with units.
    fn from_text(text: &str) -> Result<Self, InvalidSpan> {
        let signed = parse_units(text).ok_or(InvalidSpan::Unreadable)?;
        match Duration::try_from(signed) {
            Ok(duration) if duration <= Self::MAX => Ok(Self(duration)),
            _ => Err(InvalidSpan::OutOfRange),
        }
    }
}

impl FromStr for Span {
    type Err = InvalidSpan;

    /// Parses an argument or a parameter, which has no type: a text with units, or a number of seconds.
    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        match parse_seconds(text) {
            Some(secs) => Self::try_from_secs(secs),
            None => Self::from_text(text),
        }
    }
}

/// Parses a decimal number such as `90`, `0.5` or `-1`. Other forms that Rust reads as a number, such
/// as `inf` and `1e3`, are not durations.
fn parse_seconds(text: &str) -> Option<f64> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    if is_decimal { text.parse().ok() } else { None }
}

/// Parses a text with units. `SignedDuration` has no days, and `jiff::Span` has no fractions of them.
fn parse_units(text: &str) -> Option<SignedDuration> {
    if let Ok(signed) = text.parse() {
        return Some(signed);
    }
    if let Some(days) = text.strip_suffix('d').and_then(|days| parse_seconds(days.trim_end())) {
        return SignedDuration::try_from_secs_f64(days * SECONDS_PER_DAY).ok();
    }
    let span: jiff::Span = text.parse().ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}

impl Span {
    /// Returns the number and the unit of a span that is written as one number below 100, such as `30s`.
    fn single_unit(self) -> Option<(u8, u8)> {
        let secs = self.0.as_secs();
        let (number, unit) = match secs {
            0 => return None,
            _ if self.0.subsec_nanos() > 0 => return None,
            1..60 => (secs, b's'),
            60..3_600 if secs.is_multiple_of(60) => (secs / 60, b'm'),
            3_600..360_000 if secs.is_multiple_of(3_600) => (secs / 3_600, b'h'),
            _ => return None,
        };
        u8::try_from(number).ok().map(|number| (number, unit))
    }
}

impl Serialize for Span {
    /// Writes the text of [`fmt::Display`]. Every answer about a job has four spans, and most have one unit, so
    /// these are written directly.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some((number, unit)) = self.single_unit() else { return serializer.collect_str(self) };
        let text = [b'0' + number / 10, b'0' + number % 10, unit];
        let digits_at = usize::from(number < 10);
        let text = std::str::from_utf8(&text[digits_at..]).map_err(ser::Error::custom)?;
        serializer.serialize_str(text)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpanVisitor)
    }
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a duration: {SPAN_FORMS}")
    }

    /// A string without a unit is refused, because it is not clear that it means seconds.
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
        Span::from_text(text).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, secs: f64) -> Result<Span, E> {
        Span::try_from_secs(secs).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, secs: u64) -> Result<Span, E> {
        self.visit_f64(secs as f64)
    }

    fn visit_i64<E: de::Error>(self, secs: i64) -> Result<Span, E> {
        self.visit_f64(secs as f64)
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
        assert_eq!("-5s".parse::<Span>(), Err(InvalidSpan::OutOfRange));
    }

    #[test]
    fn a_span_is_serialized_as_its_text() {
        let whole = (0..=100).flat_map(|n| [n, 60 * n, 3_600 * n, 3_600 + n, 3_660 * n]);
        let whole = whole.map(Span::from_secs);
        let parts = [0, 1, 999, 1_001, 59_999, 60_500, 3_600_001].map(Span::from_millis);
        for span in whole.chain(parts).chain([Span::new(Duration::MAX), Span::new(Span::MAX)]) {
            assert_eq!(serde_json::to_string(&span).unwrap(), format!("\"{span}\""));
        }
    }

    #[test]
    fn a_day_has_24_hours() {
        for (text, hours) in
            [("1d", 24), ("1d 2h", 26), ("2d12h", 60), ("1 day", 24), ("P1DT1H", 25)]
        {
            let span: Span = text.parse().unwrap();
            assert_eq!(span, Span::from_secs(hours * 3_600), "{text}");
            assert_eq!(span.to_string().parse(), Ok(span), "{text}");
        }
        assert_eq!("1d 500ms".parse(), Ok(Span::from_millis(86_400_500)));
        assert_eq!("1.5d".parse(), Ok(Span::from_secs(36 * 3_600)));
        assert_eq!("0.25 d".parse(), Ok(Span::from_secs(6 * 3_600)));
        assert_eq!("3650d".parse(), Ok(Span::new(Span::MAX)));
        for text in ["3651d", "-1d", "1d ago"] {
            assert_eq!(text.parse::<Span>(), Err(InvalidSpan::OutOfRange), "{text}");
        }
        for text in ["", "d", "1mo", "1y", "soon", "1d x"] {
            assert_eq!(text.parse::<Span>(), Err(InvalidSpan::Unreadable), "{text}");
        }
    }

    #[test]
    fn a_number_is_in_seconds_and_rounded_to_milliseconds() {
        for (text, millis) in [
            ("90", 90_000),
            ("0", 0),
            ("-0.0", 0),
            ("1.5", 1_500),
            ("0.0004", 0),
            ("0.0015", 2),
            ("1e2", 100_000),
            ("315360000", 315_360_000_000),
        ] {
            let span = Span::from_millis(millis);
            assert_eq!(serde_json::from_str::<Span>(text).unwrap(), span, "{text}");
            if !text.contains('e') {
                assert_eq!(text.parse(), Ok(span), "{text}");
            }
        }
        assert_eq!(serde_json::to_string(&Span::from_millis(90_500)).unwrap(), "\"1m 30s 500ms\"");
    }

    #[test]
    fn a_number_out_of_range_or_of_another_form_is_refused() {
        for text in ["-1", "-0.001", "1e300", "315360001", "18446744073709551615"] {
            let error = serde_json::from_str::<Span>(text).unwrap_err().to_string();
            assert!(error.starts_with("must be between zero and ten years"), "{text}: {error}");
        }
        for text in ["1e3", "inf", "nan", "+5", "1.2.3", ".", "-", ""] {
            assert_eq!(text.parse::<Span>(), Err(InvalidSpan::Unreadable), "{text}");
        }
        // In JSON a string has a unit, and only a number may be without one.
        for text in ["\"90\"", "\"1.5\"", "\"0\"", "\"inf\"", "true", "[5]", "{}"] {
            let error = serde_json::from_str::<Span>(text).unwrap_err().to_string();
            assert!(error.contains("a number of seconds such as 90"), "{text}: {error}");
        }
        assert_eq!(Span::try_from_secs(f64::NAN), Err(InvalidSpan::Unreadable));
        assert_eq!(Span::try_from_secs(f64::INFINITY), Err(InvalidSpan::OutOfRange));
    }
}
