//! The timeline of a job.

use crate::job::{Job, JobError, State, Timestamp};
use crate::pages::parts::time::{DurationText, RelativeTime};

/// An entry of the timeline.
pub(super) struct TimelineEvent {
    /// CSS class that sets the colour and shape: the name of a state.
    pub(super) class: &'static str,
    pub(super) title: String,
    pub(super) at: RelativeTime,
    /// Duration that the entry reports, such as "ran for 1.20 s".
    pub(super) duration: Option<String>,
    pub(super) error: Option<JobError>,
}

/// Returns what happened to a job, oldest first, and what happens next.
///
/// The job stores the start of its latest attempt only. Earlier attempts therefore have no entry for
/// their start, only one for their failure.
pub(super) fn events(job: &Job, now: Timestamp) -> Vec<TimelineEvent> {
    let event = |class, title: String, at| TimelineEvent {
        class,
        title,
        at: RelativeTime::new(at, now),
        duration: None,
        error: None,
    };
    let mut events = vec![event("queued", "Submitted".into(), job.created_at)];
    let is_first = job.attempt == 0 && job.failures.as_ref().is_none_or(Vec::is_empty);
    if job.state == State::Scheduled || is_first && job.run_at > job.created_at {
        events.push(event("scheduled", "Scheduled start".into(), job.run_at));
    }
    let failures = job.failures.as_deref().unwrap_or_default();
    let latest = job.started_at.map(|at| (job.attempt, at));
    let mut has_latest_start = false;
    for failure in failures {
        if let Some((attempt, at)) = latest.filter(|(attempt, _)| failure.attempt == *attempt) {
            events.push(event("running", format!("Attempt {attempt} started"), at));
            has_latest_start = true;
        }
        let mut failed = event("failed", format!("Attempt {} failed", failure.attempt), failure.at);
        failed.error = Some(failure.error.clone());
        failed.duration = latest
            .filter(|(attempt, _)| failure.attempt == *attempt)
            .map(|(_, at)| format!("after {}", DurationText::new(failure.at.since(at))));
        events.push(failed);
    }
    if let Some((attempt, at)) = latest.filter(|_| !has_latest_start) {
        let mut started = event("running", format!("Attempt {attempt} started"), at);
        if job.state == State::Running {
            started.duration = Some(format!("running for {}", DurationText::new(now.since(at))));
        }
        events.push(started);
    }
    events.extend(end(job, now));
    events
}

/// Returns the entry for the end of a job, or for its next attempt.
fn end(job: &Job, now: Timestamp) -> Option<TimelineEvent> {
    let (class, title, at) = match job.state {
        State::Completed => ("completed", "Completed", job.finished_at?),
        State::Failed => ("failed", "Failed permanently", job.finished_at?),
        State::Cancelled => ("cancelled", "Cancelled", job.finished_at?),
        State::Retrying => ("retrying", "Next attempt", job.run_at),
        State::Scheduled | State::Queued | State::Running => return None,
    };
    let duration = match (job.state.is_final(), job.started_at) {
        (true, Some(started_at)) => {
            Some(format!("ran for {}", DurationText::new(at.since(started_at))))
        }
        _ => None,
    };
    let error = job.error.clone().filter(|_| job.state == State::Cancelled);
    let at = RelativeTime::new(at, now);
    Some(TimelineEvent { class, title: title.into(), at, duration, error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Failure, JobId, Lane, NewJob, Submission};

    fn job() -> Job {
        let submission = Submission::new("echo", &1).unwrap();
        let now = Timestamp::from_millis(1_000);
        let job: NewJob = submission.check(Lane::Async, &Default::default(), now).unwrap();
        job.inserted(JobId(1), now)
    }

    fn titles(job: &Job) -> Vec<String> {
        let now = Timestamp::from_millis(100_000);
        events(job, now).into_iter().map(|event| event.title).collect()
    }

    #[test]
    fn attempts_are_listed_between_submission_and_end() {
        let failure = |attempt, at| Failure {
            attempt,
            at: Timestamp::from_millis(at),
            error: JobError::new("http_status", "503"),
        };
        let mut job = job();
        assert_eq!(titles(&job), ["Submitted"]);
        job.attempt = 2;
        job.started_at = Some(Timestamp::from_millis(4_000));
        job.failures = Some(vec![failure(1, 2_000)]);
        job.state = State::Running;
        assert_eq!(titles(&job), ["Submitted", "Attempt 1 failed", "Attempt 2 started"]);
        job.failures = Some(vec![failure(1, 2_000), failure(2, 5_000)]);
        job.state = State::Retrying;
        assert_eq!(titles(&job)[2..], ["Attempt 2 started", "Attempt 2 failed", "Next attempt"]);
        job.state = State::Failed;
        job.finished_at = Some(Timestamp::from_millis(5_000));
        assert_eq!(titles(&job)[4], "Failed permanently");
    }
}
