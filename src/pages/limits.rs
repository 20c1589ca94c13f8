//! The limits of a queue, in words and as a form.

use std::str::FromStr;

use crate::job::Span;
use crate::job::queue::{QueueChange, QueueSettings, Rate};
use crate::pages::fields::Fields;

/// The limits in words.
pub(super) fn told(settings: &QueueSettings) -> String {
    let running = settings.max_running.map(|most| format!("{most} at once"));
    let rate = settings.rate.map(|rate| format!("{} starts a {}", rate.limit, rate.period));
    let both: Vec<String> = running.into_iter().chain(rate).collect();
    if both.is_empty() { "none".into() } else { both.join(", ") }
}

/// The form of the limits: what stands in its fields, and what is wrong with that.
#[derive(Debug, Clone, Default)]
pub(super) struct LimitsForm {
    pub(super) max_running: String,
    pub(super) rate_limit: String,
    pub(super) rate_period: String,
    /// By field.
    wrong: Vec<(&'static str, String)>,
}

impl LimitsForm {
    /// The form of limits as they are.
    pub(super) fn of(settings: &QueueSettings) -> Self {
        let text = |number: Option<u32>| number.map(|number| number.to_string());
        Self {
            max_running: text(settings.max_running).unwrap_or_default(),
            rate_limit: text(settings.rate.map(|rate| rate.limit)).unwrap_or_default(),
            rate_period: settings.rate.map(|rate| rate.period.to_string()).unwrap_or_default(),
            wrong: Vec::new(),
        }
    }

    /// Reads what was sent: the change, or the form with what is wrong.
    pub(super) fn read(fields: &Fields) -> Result<QueueChange, Self> {
        let text = |name| fields.word(name).unwrap_or_default().to_owned();
        let mut form = Self {
            max_running: text("max_running"),
            rate_limit: text("rate_limit"),
            rate_period: text("rate_period"),
            wrong: Vec::new(),
        };
        let max_running = form.parse("max_running", "is a number, or empty for no limit");
        let limit = form.parse("rate_limit", "is a number, or empty for no limit");
        let period: Option<Span> =
            form.parse("rate_period", "is a duration such as 1s, 500ms or 1m");
        let rate = match (limit, period) {
            (Some(limit), Some(period)) => Some(Rate { limit, period }),
            (Some(_), None) if !form.is_wrong("rate_period") => {
                form.complain("rate_period", "belongs to a rate: in how long a time?");
                None
            }
            (None, Some(_)) if !form.is_wrong("rate_limit") => {
                form.complain("rate_limit", "belongs to a rate: how many starts?");
                None
            }
            _ => None,
        };
        let change = QueueChange { paused: None, max_running: Some(max_running), rate: Some(rate) };
        if let Some((place, why)) = change.apply(QueueSettings::default()).problem() {
            let field = match place.as_str() {
                "/max_running" => "max_running",
                "/rate/period" => "rate_period",
                _ => "rate_limit",
            };
            form.complain(field, why);
        }
        if form.wrong.is_empty() { Ok(change) } else { Err(form) }
    }

    /// What is wrong with a field.
    pub(super) fn wrong(&self, field: &str) -> Option<&str> {
        self.wrong.iter().find(|(name, _)| *name == field).map(|(_, why)| why.as_str())
    }

    fn is_wrong(&self, field: &str) -> bool {
        self.wrong(field).is_some()
    }

    fn complain(&mut self, field: &'static str, why: impl Into<String>) {
        self.wrong.push((field, why.into()));
    }

    fn parse<T: FromStr>(&mut self, field: &'static str, wanted: &str) -> Option<T> {
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
            self.complain(field, wanted);
        }
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<QueueChange, LimitsForm> {
        LimitsForm::read(&Fields::parse(text).unwrap())
    }

    #[test]
    fn limits_are_told_in_words() {
        let rate = Rate { limit: 10, period: Span::from_secs(1) };
        let settings = QueueSettings { paused: true, max_running: Some(5), rate: Some(rate) };
        assert_eq!(told(&settings), "5 at once, 10 starts a 1s");
        assert_eq!(told(&QueueSettings::default()), "none");
    }

    #[test]
    fn an_empty_field_takes_its_limit_away() {
        let change = read("max_running=&rate_limit=5&rate_period=1s").unwrap();
        assert_eq!(change.max_running, Some(None));
        assert_eq!(change.rate, Some(Some(Rate { limit: 5, period: Span::from_secs(1) })));
        assert_eq!(change.paused, None);
    }

    #[test]
    fn what_is_wrong_is_told_at_its_field() {
        for (text, field) in [
            ("max_running=0", "max_running"),
            ("max_running=many", "max_running"),
            ("rate_limit=0&rate_period=1s", "rate_limit"),
            ("rate_limit=5", "rate_period"),
            ("rate_limit=5&rate_period=soon", "rate_period"),
            ("rate_limit=5&rate_period=0s", "rate_period"),
            ("rate_period=1s", "rate_limit"),
        ] {
            let form = read(text).unwrap_err();
            let wrong: Vec<_> = form.wrong.iter().map(|(field, _)| *field).collect();
            assert_eq!(wrong, [field], "{text}");
        }
    }
}
