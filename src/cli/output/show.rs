//! Formats values for human readers.

use std::time::Duration;

use crate::job::{Job, JobError, Progress, State, Timestamp};

/// Placeholder for a missing value.
pub(crate) const NONE: &str = "-";

/// Formats a duration in its largest unit, such as `42s`, `7m`, `3h`, `12d`.
pub(crate) fn age(span: Duration) -> String {
    match span.as_secs() {
        secs @ 0..60 => format!("{secs}s"),
        secs @ 60..3_600 => format!("{}m", secs / 60),
        secs @ 3_600..86_400 => format!("{}h", secs / 3_600),
        secs => format!("{}d", secs / 86_400),
    }
}

/// Formats a duration with about three digits, such as `35ms`, `1.24s`, `75.3s`.
pub(crate) fn duration(span: Duration) -> String {
    match span.as_secs_f64() {
        secs if secs < 1.0 => format!("{}ms", span.as_millis()),
        secs if secs < 60.0 => format!("{secs:.2}s"),
        secs => format!("{secs:.1}s"),
    }
}

/// Formats a rate per second, such as `0.5/s`, `12.0/s`, `1200/s`.
pub(crate) fn rate(per_second: f64) -> String {
    if per_second < 99.95 { format!("{per_second:.1}/s") } else { format!("{per_second:.0}/s") }
}

/// Returns the time of day in UTC, such as `12:00:55.250Z`.
pub(crate) fn time_of_day(time: Timestamp) -> String {
    let text = time.to_string();
    text.split_once('T').map_or(text.clone(), |(_, time)| time.to_owned())
}

/// Formats the progress of a job on one line.
pub(crate) fn progress(progress: &Progress) -> String {
    let message = progress.message.as_deref().unwrap_or_default();
    plain(format!("{:>3.0} %  {message}", progress.percent).trim_end())
}

/// Returns untrusted text on one line. Control characters, which could steer a terminal, become
/// spaces, so that the text cannot change the screen.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Returns on one line what a queued job waits for, if the server said so. Other jobs that wait have
/// the time of their start.
pub(crate) fn waiting(job: &Job) -> Option<String> {
    let detail = job.waiting_detail.as_deref().filter(|_| job.state == State::Queued)?;
    let until = job.waiting_until.map(|until| format!(", until {until}")).unwrap_or_default();
    Some(format!("{}{until}", plain(detail)))
}

/// Formats an error on one line of at most `max_chars` characters.
pub(crate) fn error(error: &JobError, max_chars: usize) -> String {
    let text = plain(&format!("{}: {}", error.code, error.message));
    if text.chars().count() <= max_chars {
        return text;
    }
    text.chars().take(max_chars.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_formatted_in_its_largest_unit() {
        let ages = [59, 61, 7_200, 90_000].map(|secs| age(Duration::from_secs(secs)));
        assert_eq!(ages, ["59s", "1m", "2h", "1d"]);
    }

    #[test]
    fn a_queued_job_says_what_it_waits_for_on_one_line() {
        let mut job = crate::cli::sample::job(17);
        job.waiting_detail = Some("provider a asked for a pause: \x1b[31m\nslow down".into());
        assert_eq!(waiting(&job), None, "it runs");
        job.state = State::Queued;
        let expected = "provider a asked for a pause:  [31m slow down";
        assert_eq!(waiting(&job).as_deref(), Some(expected));
        job.waiting_until = Some("2030-01-31T12:00:05.000Z".parse().unwrap());
        let expected = format!("{expected}, until 2030-01-31T12:00:05.000Z");
        assert_eq!(waiting(&job), Some(expected));
    }

    #[test]
    fn an_error_is_formatted_on_one_line() {
        let text = error(&JobError::new("exit", "first\nsecond \x1b[31mred"), 22);
        assert_eq!(text, "exit: first second  […");
    }
}
