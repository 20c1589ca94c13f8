//! What happened to a job, in its order.

use crate::job::{Job, JobError, State, Timestamp};
use crate::pages::moment::{Moment, Took};

/// Something that happened to a job.
pub(super) struct Event {
    /// How it looks: a state, or what did not end well.
    pub(super) class: &'static str,
    pub(super) title: String,
    pub(super) at: Moment,
    /// How long what it ends took.
    pub(super) took: Option<String>,
    pub(super) error: Option<JobError>,
}

/// What happened to a job, oldest first, and what is next. Of earlier attempts only their end is
/// kept.
pub(super) fn events(job: &Job, now: Timestamp) -> Vec<Event> {
    let event = |class, title: String, at| Event {
        class,
        title,
        at: Moment::new(at, now),
        took: None,
        error: None,
    };
    let mut events = vec![event("queued", "Submitted".into(), job.created_at)];
    let is_first = job.attempt == 0 && job.failures.as_ref().is_none_or(Vec::is_empty);
    if job.state == State::Scheduled || is_first && job.run_at > job.created_at {
        events.push(event("scheduled", "May begin".into(), job.run_at));
    }
    let failures = job.failures.as_deref().unwrap_or_default();
    let latest = job.started_at.map(|at| (job.attempt, at));
    let mut latest_is_told = false;
    for failure in failures {
        if let Some((attempt, at)) = latest.filter(|(attempt, _)| failure.attempt == *attempt) {
            events.push(event("running", format!("Attempt {attempt} began"), at));
            latest_is_told = true;
        }
        let mut failed = event("failed", format!("Attempt {} failed", failure.attempt), failure.at);
        failed.error = Some(failure.error.clone());
        failed.took = latest
            .filter(|(attempt, _)| failure.attempt == *attempt)
            .map(|(_, at)| format!("after {}", Took::new(failure.at.since(at))));
        events.push(failed);
    }
    if let Some((attempt, at)) = latest.filter(|_| !latest_is_told) {
        let mut began = event("running", format!("Attempt {attempt} began"), at);
        if job.state == State::Running {
            began.took = Some(format!("runs for {}", Took::new(now.since(at))));
        }
        events.push(began);
    }
    events.extend(end(job, now));
    events
}

/// How it ended, or what it waits for.
fn end(job: &Job, now: Timestamp) -> Option<Event> {
    let (class, title, at) = match job.state {
        State::Completed => ("completed", "Completed", job.finished_at?),
        State::Failed => ("failed", "Failed for good", job.finished_at?),
        State::Cancelled => ("cancelled", "Cancelled", job.finished_at?),
        State::Retrying => ("retrying", "Next attempt", job.run_at),
        State::Scheduled | State::Queued | State::Running => return None,
    };
    let took = match (job.state.is_final(), job.started_at) {
        (true, Some(began)) => Some(format!("ran for {}", Took::new(at.since(began)))),
        _ => None,
    };
    let error = job.error.clone().filter(|_| job.state == State::Cancelled);
    Some(Event { class, title: title.into(), at: Moment::new(at, now), took, error })
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
    fn each_attempt_stands_between_submission_and_end() {
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
        assert_eq!(titles(&job), ["Submitted", "Attempt 1 failed", "Attempt 2 began"]);
        job.failures = Some(vec![failure(1, 2_000), failure(2, 5_000)]);
        job.state = State::Retrying;
        assert_eq!(titles(&job)[2..], ["Attempt 2 began", "Attempt 2 failed", "Next attempt"]);
        job.state = State::Failed;
        job.finished_at = Some(Timestamp::from_millis(5_000));
        assert_eq!(titles(&job)[4], "Failed for good");
    }
}
