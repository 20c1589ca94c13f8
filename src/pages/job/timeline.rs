//! The timeline of a job.

use crate::job::{Attempt, Job, JobError, State, Timestamp};
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
pub(super) fn events(job: &Job, now: Timestamp) -> Vec<TimelineEvent> {
    let event = |class, title: String, at| TimelineEvent {
        class,
        title,
        at: RelativeTime::new(at, now),
        duration: None,
        error: None,
    };
    let mut events = vec![event("queued", "Submitted".into(), job.created_at)];
    let attempts = job.attempts.as_deref().unwrap_or_default();
    let is_first = job.attempt == 0 && attempts.is_empty();
    if job.state == State::Scheduled || is_first && job.run_at > job.created_at {
        events.push(event("scheduled", "Scheduled start".into(), job.run_at));
    }
    for Attempt { attempt, state, started_at, ended_at, code, message, .. } in attempts {
        // Earlier versions did not store the start of each attempt.
        if let Some(at) = *started_at {
            let mut started = event("running", format!("Attempt {attempt} started"), at);
            if *state == State::Running {
                started.duration =
                    Some(format!("running for {}", DurationText::new(now.since(at))));
            }
            events.push(started);
        }
        if let (State::Failed, Some(at)) = (state, *ended_at) {
            let mut failed = event("failed", format!("Attempt {attempt} failed"), at);
            failed.duration = started_at
                .map(|started_at| format!("after {}", DurationText::new(at.since(started_at))));
            let (code, message) = (code.clone(), message.clone());
            failed.error = code.zip(message).map(|(code, message)| JobError { code, message });
            events.push(failed);
        }
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
    use crate::job::{AttemptDetail, JobId, Lane, NewJob, Submission};

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
        let at = |millis| Some(Timestamp::from_millis(millis));
        let attempt = |number, state, started_at, ended_at| Attempt {
            attempt: number,
            state,
            started_at,
            ended_at,
            worker: None,
            code: Some("http_status".into()),
            message: Some("503".into()),
            detail: AttemptDetail::default(),
        };
        let mut job = job();
        assert_eq!(titles(&job), ["Submitted"]);
        job.attempt = 2;
        let old = attempt(1, State::Failed, None, at(2_000));
        job.attempts = Some(vec![old.clone(), attempt(2, State::Running, at(4_000), None)]);
        job.state = State::Running;
        assert_eq!(titles(&job), ["Submitted", "Attempt 1 failed", "Attempt 2 started"]);
        let first = attempt(1, State::Failed, at(1_500), at(2_000));
        job.attempts = Some(vec![first, attempt(2, State::Failed, at(4_000), at(5_000))]);
        job.state = State::Retrying;
        let expected = [
            "Submitted",
            "Attempt 1 started",
            "Attempt 1 failed",
            "Attempt 2 started",
            "Attempt 2 failed",
            "Next attempt",
        ];
        assert_eq!(titles(&job), expected);
        job.state = State::Failed;
        job.finished_at = at(5_000);
        assert_eq!(titles(&job)[5], "Failed permanently");
    }
}
