//! Subscription to one job.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

use crate::actor::message::Subject;
use crate::job::{Failure, Job, JobId, Log, Progress};
use crate::server::error::Error;
use crate::server::events::Subscription;
use crate::server::handle::Handle;
use crate::store::JobUpdate;

/// An event of one job.
#[derive(Debug, Clone, PartialEq)]
pub enum JobEvent {
    /// An attempt failed.
    Failure(Failure),
    /// The job added lines to its log.
    Log(Log),
    /// The attempt reported progress.
    Progress(Progress),
    /// The state of the job changed. The job has no payload and result, except in the last event, when
    /// it is final.
    State(Box<Job>),
    /// The job was deleted.
    Gone(JobId),
}

/// Position in the event stream of a job: what a subscriber has seen of it.
///
/// Its text is the `id` of a server-sent event. A client that reconnects sends it back as
/// `Last-Event-ID` and gets only what is new. The text has eight numbers: the six of the state
/// fingerprint, the number of failures and the log position. Example:
/// `3-3-1700000000000-1700000000005-0-0-2-77` is a running job (state code 2, plus 1) in attempt 3, of
/// which two failures and 77 bytes of log have been seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// Fingerprint of the last state: the fields that change when the job changes state.
    fingerprint: [i64; 6],
    /// Number of failures that were returned.
    failures: u64,
    /// Position in the log up to which lines were returned.
    log: u64,
}

/// Error for a text that is not a [`Position`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of an event of a job")]
pub struct InvalidPosition;

impl Position {
    /// Returns the fingerprint of a job's state.
    fn fingerprint_of(job: &Job) -> [i64; 6] {
        let at = |at: Option<crate::job::Timestamp>| at.map_or(0, |at| at.millis());
        [
            // Plus 1, because 0 means that no state was returned yet.
            job.state.code() + 1,
            job.attempt.into(),
            job.run_at.millis(),
            at(job.started_at),
            at(job.finished_at),
            job.cancel_requested.into(),
        ]
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.fingerprint {
            write!(f, "{part}-")?;
        }
        write!(f, "{}-{}", self.failures, self.log)
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let parts: Result<Vec<u64>, _> = text.split('-').map(str::parse).collect();
        let Ok([fingerprint @ .., failures, log]) = parts.as_deref() else {
            return Err(InvalidPosition);
        };
        let fingerprint: Vec<i64> =
            fingerprint.iter().filter_map(|part| (*part).try_into().ok()).collect();
        let fingerprint = fingerprint.try_into().map_err(|_wrong_count| InvalidPosition)?;
        Ok(Self { fingerprint, failures: *failures, log: *log })
    }
}

/// The stream of events of a job from a position on, until the job is final.
pub struct JobEvents {
    handle: Handle,
    id: JobId,
    subscription: Subscription,
    position: Position,
    /// Progress at the last read.
    progress: Option<Progress>,
    /// Events that have been read and not returned yet, each with the position after it.
    ready: VecDeque<(Position, JobEvent)>,
    has_ended: bool,
}

impl Handle {
    /// Subscribes to a job, from a position on or from its start. Returns `None` if the job is final and
    /// has no events after the position.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the job does not exist, and [`Error::Overloaded`] if there are too
    /// many subscribers already.
    pub async fn job_events(
        &self,
        id: JobId,
        position: Option<Position>,
    ) -> Result<Option<JobEvents>, Error> {
        let subscription = self.subscribe(Subject::Job(id))?;
        let mut events = JobEvents {
            handle: self.clone(),
            id,
            subscription,
            position: position.unwrap_or_default(),
            progress: None,
            ready: VecDeque::new(),
            has_ended: false,
        };
        events.read().await?;
        let has_no_more = events.has_ended && events.ready.is_empty();
        match events.ready.front() {
            Some((_, JobEvent::Gone(_))) => Err(Error::no_job(id)),
            _ => Ok((!has_no_more).then_some(events)),
        }
    }
}

impl JobEvents {
    /// Returns the next event and the position after it; `None` after the end, or if the server stops.
    ///
    /// The future may be dropped at any time without losing an event.
    pub async fn next(&mut self) -> Option<(Position, JobEvent)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.has_ended {
                return None;
            }
            if !self.subscription.changed(&self.handle).await {
                return None;
            }
            if let Err(error) = self.read().await {
                tracing::debug!(job = %self.id, %error, "a subscription to a job ends: its row could not be read");
                return None;
            }
            self.subscription.mark_read();
        }
    }

    /// Reads the job and adds the events that are new since the last read.
    async fn read(&mut self) -> Result<(), Error> {
        // No read permit is needed: the permit of the subscription covers its reads.
        let (id, log_after) = (self.id, self.position.log);
        let found = self.handle.point_read(move |store, _| store.job_update(id, log_after)).await?;
        let Some(update) = found else {
            self.has_ended = true;
            self.ready.push_back((self.position, JobEvent::Gone(self.id)));
            return Ok(());
        };
        let fingerprint = Position::fingerprint_of(&update.job);
        let is_final = update.job.state.is_final();
        let has_changed = fingerprint != self.position.fingerprint;
        // The last event is the whole job. It is read before any event is added, so that a failed or
        // dropped read leaves this stream as it was.
        let whole_job = if is_final && has_changed {
            let whole_job = self.handle.read_job(self.id).await?;
            if !whole_job.state.is_final() {
                // The job was retried in between, so another notification is on its way.
                return Ok(());
            }
            Some(whole_job)
        } else {
            None
        };
        self.push_events(update, whole_job, fingerprint);
        self.has_ended = is_final;
        Ok(())
    }

    /// Adds the events of an update: failures first, then log lines, then the state or the progress.
    fn push_events(&mut self, update: JobUpdate, whole_job: Option<Job>, fingerprint: [i64; 6]) {
        let JobUpdate { job, log } = update;
        let mut job = self.handle.shown(job);
        let failures = job.failures.take().unwrap_or_default();
        for failure in failures.into_iter().skip(self.position.failures as usize) {
            self.position.failures += 1;
            self.ready.push_back((self.position, JobEvent::Failure(failure)));
        }
        if !log.is_empty() {
            self.position.log = log.to;
            self.ready.push_back((self.position, JobEvent::Log(log)));
        }
        let has_changed = fingerprint != self.position.fingerprint;
        let has_progress = job.progress != self.progress && !job.state.is_final();
        self.progress.clone_from(&job.progress);
        if has_changed {
            // The state event includes the progress.
            self.position.fingerprint = fingerprint;
            let event = JobEvent::State(Box::new(whole_job.unwrap_or(job)));
            self.ready.push_back((self.position, event));
        } else if has_progress && let Some(progress) = job.progress {
            self.ready.push_back((self.position, JobEvent::Progress(progress)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_from_its_text() {
        let position =
            Position { fingerprint: [3, 1, 1_700_000_000_000, 5, 0, 1], failures: 2, log: 77 };
        assert_eq!(position.to_string(), "3-1-1700000000000-5-0-1-2-77");
        assert_eq!(position.to_string().parse(), Ok(position));
        for text in
            ["", "1", "1-2-3-4-5-6-7", "1-2-3-4-5-6-7-8-9", "a-2-3-4-5-6-7-8", "-1-2-3-4-5-6-7-8"]
        {
            assert_eq!(text.parse::<Position>(), Err(InvalidPosition), "{text}");
        }
    }
}
