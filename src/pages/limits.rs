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
    /// What stood in the fields when the page was shown.
    pub(super) shown: String,
    /// By field.
    wrong: Vec<(&'static str, String)>,
}

impl LimitsForm {
    /// The form of limits as they are.
    pub(super) fn of(settings: &QueueSettings) -> Self {
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

    /// The rate in one word.
    fn rate(&self) -> String {
        format!("{}/{}", self.rate_limit, self.rate_period)
    }

    /// Reads what was sent: the change, or the form with what is wrong. A limit that stands as it was
    /// shown stays as it is now: somebody else may have changed it meanwhile.
    pub(super) fn read(fields: &Fields) -> Result<QueueChange, Self> {
        let text = |name| fields.word(name).unwrap_or_default().to_owned();
        let mut form = Self {
            max_running: text("max_running"),
            rate_limit: text("rate_limit"),
            rate_period: text("rate_period"),
            shown: fields.get("shown").unwrap_or_default().to_owned(),
            wrong: Vec::new(),
        };
        let max_running = form.parse("max_running", "is a number, or empty for no limit");
        let limit = form.parse("rate_limit", "is a number, or empty for no limit");
        let period: Option<Span> =
            form.parse("rate_period", "is a duration such as 1s, 500ms or 1m");
        // Without a number of starts there is no rate, and a second is what is mostly meant.
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
        let a_second = Rate { limit: 7, period: Span::from_secs(1) };
        assert_eq!(read("rate_limit=7").unwrap().rate, Some(Some(a_second)));
        assert_eq!(read("rate_period=1s").unwrap().rate, Some(None));
    }

    #[test]
    fn what_stands_as_it_was_shown_is_not_changed() {
        let rate = Rate { limit: 10, period: Span::from_secs(1) };
        let settings = QueueSettings { paused: false, max_running: None, rate: Some(rate) };
        let shown = LimitsForm::of(&settings).shown;
        assert_eq!(shown, " 10/1s");
        let read = |form: &str| read(&format!("{form}&shown={}", shown.replace(' ', "+"))).unwrap();
        assert_eq!(read("max_running=&rate_limit=10&rate_period=1s"), QueueChange::default());
        let change = read("max_running=7&rate_limit=10&rate_period=1s");
        assert_eq!((change.max_running, change.rate), (Some(Some(7)), None));
        let change = read("max_running=&rate_limit=&rate_period=");
        assert_eq!((change.max_running, change.rate), (None, Some(None)));
    }

    #[test]
    fn what_is_wrong_is_told_at_its_field() {
        for (text, field) in [
            ("max_running=0", "max_running"),
            ("max_running=many", "max_running"),
            ("rate_limit=0&rate_period=1s", "rate_limit"),
            ("rate_limit=5&rate_period=soon", "rate_period"),
            ("rate_limit=5&rate_period=0s", "rate_period"),
        ] {
            let form = read(text).unwrap_err();
            let wrong: Vec<_> = form.wrong.iter().map(|(field, _)| *field).collect();
            assert_eq!(wrong, [field], "{text}");
        }
    }
}
