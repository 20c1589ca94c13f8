//! The attempts of a job and what is known about the end of each.

use crate::job::attempt::{ExitDetail, ResponseDetail};
use crate::job::{Attempt, AttemptDetail, Job, State, Timestamp};
use crate::pages::parts::job_row::StateBadge;
use crate::pages::parts::json_view::JsonView;
use crate::pages::parts::time::{DurationText, RelativeTime};

/// Maximum number of attempts that are shown, the latest ones.
const MAX_ATTEMPTS: usize = 20;

/// An attempt as an entry of the list.
pub(super) struct AttemptEntry {
    /// Position among all attempts, which distinguishes attempts of the same number.
    pub(super) position: usize,
    pub(super) number: u32,
    pub(super) state: StateBadge,
    pub(super) started: Option<RelativeTime>,
    pub(super) duration: Option<DurationText>,
    pub(super) worker: Option<String>,
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) status: Option<u16>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) exit: Option<String>,
    /// Texts that are shown at once.
    pub(super) texts: Vec<AttemptText>,
    pub(super) traceback: Option<String>,
    pub(super) data: Option<JsonView>,
    /// Whether the entry is open at first.
    pub(super) is_open: bool,
}

/// A text that an attempt has left.
pub(super) struct AttemptText {
    pub(super) title: &'static str,
    pub(super) text: String,
}

/// Returns the latest attempts of a job, the latest first.
pub(super) fn entries(job: &Job, now: Timestamp) -> Vec<AttemptEntry> {
    let attempts = job.attempts.as_deref().unwrap_or_default();
    let api_path = format!("/v1/jobs/{}", job.id);
    let latest = attempts.iter().enumerate().rev().take(MAX_ATTEMPTS);
    let mut entries: Vec<_> =
        latest.map(|(at, attempt)| AttemptEntry::new(at + 1, attempt, now, &api_path)).collect();
    if let Some(first) = entries.first_mut() {
        first.is_open = true;
    }
    entries
}

/// Returns the number of attempts that are not shown.
pub(super) fn omitted(job: &Job) -> usize {
    job.attempts.as_ref().map_or(0, |attempts| attempts.len().saturating_sub(MAX_ATTEMPTS))
}

impl AttemptEntry {
    fn new(position: usize, attempt: &Attempt, now: Timestamp, api_path: &str) -> Self {
        let AttemptDetail { response, exit, traceback, data, result, request_id } = &attempt.detail;
        let ended_at = attempt.ended_at.or((attempt.state == State::Running).then_some(now));
        let duration = attempt.started_at.zip(ended_at).map(|(from, to)| to.since(from));
        let mut texts = response.iter().flat_map(response_texts).collect::<Vec<_>>();
        texts.extend(exit.iter().flat_map(exit_texts));
        texts.extend(text("Beginning and end of the result", result.as_ref()));
        let headers = response.iter().flat_map(|response| response.headers.clone());
        Self {
            position,
            number: attempt.attempt,
            state: StateBadge(attempt.state),
            started: attempt.started_at.map(|at| RelativeTime::new(at, now)),
            duration: duration.map(DurationText::new),
            worker: attempt.worker.clone(),
            code: attempt.code.clone(),
            message: attempt.message.clone(),
            request_id: request_id.clone(),
            status: response.as_ref().map(|response| response.status),
            headers: headers.collect(),
            exit: exit.as_ref().map(ExitDetail::summary),
            texts,
            traceback: traceback.clone(),
            data: data.as_ref().map(|data| JsonView::new(Some(data), api_path)),
            is_open: false,
        }
    }
}

fn response_texts(response: &ResponseDetail) -> impl Iterator<Item = AttemptText> {
    let body = text("Response body", response.body.as_ref());
    body.into_iter().chain(text("Response body in base64", response.body_base64.as_ref()))
}

fn exit_texts(exit: &ExitDetail) -> impl Iterator<Item = AttemptText> {
    let stdout = text("Standard output", Some(&exit.stdout));
    stdout.into_iter().chain(text("Standard error", Some(&exit.stderr)))
}

/// Returns a text with its title, unless it is empty.
fn text(title: &'static str, text: Option<&String>) -> Option<AttemptText> {
    let text = text.filter(|text| !text.is_empty())?.clone();
    Some(AttemptText { title, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{JobId, Lane, Submission};

    #[test]
    fn the_latest_attempts_are_shown_and_only_the_last_is_open() {
        let now = Timestamp::from_millis(10_000);
        let submission = Submission::new("echo", &1).unwrap();
        let mut job = submission
            .check(Lane::Async, &Default::default(), now)
            .unwrap()
            .inserted(JobId(1), now);
        let attempt = |number| Attempt {
            attempt: number,
            state: State::Failed,
            started_at: Some(Timestamp::from_millis(1_000)),
            ended_at: Some(Timestamp::from_millis(3_500)),
            worker: None,
            code: Some("exit".into()),
            message: Some("failed".into()),
            detail: AttemptDetail {
                exit: Some(ExitDetail {
                    status: Some(1),
                    stdout: "why".into(),
                    ..Default::default()
                }),
                ..AttemptDetail::default()
            },
        };
        job.attempts = Some((1..=25).map(attempt).collect());
        let shown = entries(&job, now);
        assert_eq!((shown.len(), omitted(&job)), (20, 5));
        assert_eq!((shown[0].number, shown[19].number), (25, 6));
        assert_eq!(shown.iter().filter(|entry| entry.is_open).count(), 1);
        assert!(shown[0].is_open);
        let texts: Vec<_> = shown[0].texts.iter().map(|text| (text.title, &*text.text)).collect();
        assert_eq!(texts, [("Standard output", "why")]);
        assert_eq!(shown[0].exit.as_deref(), Some("exit status 1"));
        assert_eq!(shown[0].duration, Some(DurationText::millis(2_500)));
    }
}
