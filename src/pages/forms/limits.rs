//! The limits of a queue, in words and as a form.

use std::str::FromStr;

use crate::job::Span;
use crate::job::queue::{QueueChange, QueueSettings, Rate};
use crate::pages::forms::fields::Fields;

/// Describes the limits in words, such as "5 at once, 10 starts per 1s".
pub(crate) fn describe(settings: &QueueSettings) -> String {
    let running = settings.max_running.map(|most| format!("{most} at once"));
    let rate = settings.rate.map(|rate| format!("{} starts per {}", rate.limit, rate.period));
    let both: Vec<String> = running.into_iter().chain(rate).collect();
    if both.is_empty() { "none".into() } else { both.join(", ") }
}

/// The form of the limits: the values of its fields and their errors.
#[derive(Debug, Clone, Default)]
pub(crate) struct LimitsForm {
    pub(crate) max_running: String,
    pub(crate) rate_limit: String,
    pub(crate) rate_period: String,
    /// Values of the fields when the page was rendered, as `MAX_RUNNING RATE_LIMIT/RATE_PERIOD`.
    pub(crate) shown: String,
    /// Errors with the names of their fields.
    errors: Vec<(&'static str, String)>,
}

impl LimitsForm {
    /// Returns a form filled in with the current limits.
    pub(crate) fn new(settings: &QueueSettings) -> Self {
        let text = |number: Option<u32>| number.map(|number| number.to_string());
        let mut form = Self {
            max_running: text(settings.max_running).unwrap_or_default(),
            rate_limit: text(settings.rate.map(|rate| rate.limit)).unwrap_or_default(),
            rate_period: settings.rate.map(|rate| rate.period.to_string()).unwrap_or_default(),
            ..Self::default()
        };
        form.shown = format!("{} {}", form.max_running, form.rate());
        form
    }

    /// Returns the rate as one text without blanks.
    fn rate(&self) -> String {
        format!("{}/{}", self.rate_limit, self.rate_period)
    }

    /// Parses a submitted form into a change, or returns the form with its errors.
    ///
    /// A limit that the user did not edit is not part of the change, because another user may have
    /// changed it after the page was rendered.
    pub(crate) fn parse(fields: &Fields) -> Result<QueueChange, Self> {
        let text = |name| fields.trimmed(name).unwrap_or_default().to_owned();
        let mut form = Self {
            max_running: text("max_running"),
            rate_limit: text("rate_limit"),
            rate_period: text("rate_period"),
            shown: fields.get("shown").unwrap_or_default().to_owned(),
            errors: Vec::new(),
        };
        let max_running =
            form.parse_field("max_running", "must be a number, or empty for no limit");
        let limit = form.parse_field("rate_limit", "must be a number, or empty for no limit");
        let period: Option<Span> = form.parse_field(
            "rate_period",
            "must be a duration such as 1s, 500ms or 1m, or a number of seconds",
        );
        // Without a number of starts there is no rate limit. The default period is one second.
        let rate: Option<Rate> =
            limit.map(|limit| Rate { limit, period: period.unwrap_or(Span::from_secs(1)) });
        let shown = form.shown.split_once(' ');
        let same_running = shown.is_some_and(|(running, _)| running == form.max_running);
        let same_rate = shown.is_some_and(|(_, rate)| rate == form.rate());
        let change = QueueChange {
            paused: None,
            max_running: (!same_running).then_some(max_running),
            rate: (!same_rate).then_some(rate),
        };
        if let Some((pointer, why)) = change.apply(QueueSettings::default()).problem() {
            let field = match pointer.as_str() {
                "/max_running" => "max_running",
                "/rate/period" => "rate_period",
                _ => "rate_limit",
            };
            form.add_error(field, why);
        }
        if form.errors.is_empty() { Ok(change) } else { Err(form) }
    }

    /// Returns the first error of a field.
    pub(crate) fn error(&self, field: &str) -> Option<&str> {
        self.errors.iter().find(|(name, _)| *name == field).map(|(_, why)| why.as_str())
    }

    fn add_error(&mut self, field: &'static str, why: impl Into<String>) {
        self.errors.push((field, why.into()));
    }

    fn parse_field<T: FromStr>(&mut self, field: &'static str, requirement: &str) -> Option<T> {
        let text = match field {
            "max_running" => &self.max_running,
            "rate_limit" => &self.rate_limit,
            _ => &self.rate_period,
        };
        if text.is_empty() {
            return None;
        }
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.add_error(field, requirement);
        }
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<QueueChange, LimitsForm> {
        LimitsForm::parse(&Fields::parse(text).unwrap())
    }

    #[test]
    fn limits_are_described_in_words() {
        let rate = Rate { limit: 10, period: Span::from_secs(1) };
        let settings = QueueSettings { paused: true, max_running: Some(5), rate: Some(rate) };
        assert_eq!(describe(&settings), "5 at once, 10 starts per 1s");
        assert_eq!(describe(&QueueSettings::default()), "none");
    }

    #[test]
    fn an_empty_field_removes_its_limit() {
        let change = parse("max_running=&rate_limit=5&rate_period=1s").unwrap();
        assert_eq!(change.max_running, Some(None));
        assert_eq!(change.rate, Some(Some(Rate { limit: 5, period: Span::from_secs(1) })));
        assert_eq!(change.paused, None);
        let per_second = Rate { limit: 7, period: Span::from_secs(1) };
        assert_eq!(parse("rate_limit=7").unwrap().rate, Some(Some(per_second)));
        assert_eq!(parse("rate_period=1s").unwrap().rate, Some(None));
    }

    #[test]
    fn a_limit_that_was_not_edited_is_not_changed() {
        let rate = Rate { limit: 10, period: Span::from_secs(1) };
        let settings = QueueSettings { paused: false, max_running: None, rate: Some(rate) };
        let shown = LimitsForm::new(&settings).shown;
        assert_eq!(shown, " 10/1s");
        let parse =
            |form: &str| parse(&format!("{form}&shown={}", shown.replace(' ', "+"))).unwrap();
        assert_eq!(parse("max_running=&rate_limit=10&rate_period=1s"), QueueChange::default());
        let change = parse("max_running=7&rate_limit=10&rate_period=1s");
        assert_eq!((change.max_running, change.rate), (Some(Some(7)), None));
        let change = parse("max_running=&rate_limit=&rate_period=");
        assert_eq!((change.max_running, change.rate), (None, Some(None)));
    }

    #[test]
    fn an_error_is_reported_at_its_field() {
        for (text, field) in [
            ("max_running=0", "max_running"),
            ("max_running=many", "max_running"),
            ("rate_limit=0&rate_period=1s", "rate_limit"),
            ("rate_limit=5&rate_period=soon", "rate_period"),
            ("rate_limit=5&rate_period=0s", "rate_period"),
        ] {
            let form = parse(text).unwrap_err();
            let fields: Vec<_> = form.errors.iter().map(|(field, _)| *field).collect();
            assert_eq!(fields, [field], "{text}");
        }
    }
}
