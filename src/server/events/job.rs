//! Subscription to one job.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

use crate::actor::message::{GetJobUpdate, Subject};
use crate::job::{Failure, Job, JobId, Log, Progress};
use crate::server::error::Error;
use crate::server::events::Subscription;
use crate::server::handle::Handle;
use crate::store::JobUpdate;

/// What happened to a job.
#[derive(Debug, Clone, PartialEq)]
pub enum JobEvent {
    /// An attempt failed.
    Failure(Failure),
    /// It has said something.
    Log(Log),
    /// Its attempt is so far.
    Progress(Progress),
    /// It stands where it did not. Without payload and result, but for the last one, when it is
    /// final: that one is whole.
    State(Box<Job>),
    /// It was removed.
    Gone(JobId),
}

/// Up to where a listener knows a job. Its text goes into `id:` lines and comes back as
/// `Last-Event-ID`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// Where it stood: what of it changes when it moves.
    stands: [i64; 6],
    /// How many of its failures were told.
    failures: u64,
    /// Up to where its log was told.
    log: u64,
}

/// A text that is no [`Position`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of an event of a job")]
pub struct NotAPosition;

impl Position {
    fn stands(job: &Job) -> [i64; 6] {
        let at = |at: Option<crate::job::Timestamp>| at.map_or(0, |at| at.millis());
        [
            // From 1, for nothing was told at 0.
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
        for part in self.stands {
            write!(f, "{part}-")?;
        }
        write!(f, "{}-{}", self.failures, self.log)
    }
}

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let parts: Result<Vec<u64>, _> = text.split('-').map(str::parse).collect();
        let Ok([stands @ .., failures, log]) = parts.as_deref() else { return Err(NotAPosition) };
        let stands: Vec<i64> = stands.iter().filter_map(|part| (*part).try_into().ok()).collect();
        let stands = stands.try_into().map_err(|_wrong_count| NotAPosition)?;
        Ok(Self { stands, failures: *failures, log: *log })
    }
}

/// What happens to a job from a position on, until it is final.
pub struct JobEvents {
    handle: Handle,
    id: JobId,
    subscription: Subscription,
    position: Position,
    progress: Option<Progress>,
    /// What is known and not told yet, each with the position behind it.
    ready: VecDeque<(Position, JobEvent)>,
    is_over: bool,
}

impl Handle {
    /// What happens to a job, from a position on; none where all is told already, for the job is
    /// final.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is no such job; [`Error::Overloaded`] where as many listen as
    /// may.
    pub async fn job_events(
        &self,
        id: JobId,
        position: Option<Position>,
    ) -> Result<Option<JobEvents>, Error> {
        let subscription = self.listen(Subject::Job(id))?;
        let mut events = JobEvents {
            handle: self.clone(),
            id,
            subscription,
            position: position.unwrap_or_default(),
            progress: None,
            ready: VecDeque::new(),
            is_over: false,
        };
        events.look().await?;
        let is_told = events.is_over && events.ready.is_empty();
        match events.ready.front() {
            Some((_, JobEvent::Gone(_))) => Err(Error::no_job(id)),
            _ => Ok((!is_told).then_some(events)),
        }
    }
}

impl JobEvents {
    /// The next event with the position behind it; none at the end. May be dropped in the middle
    /// without losing anything.
    pub async fn next(&mut self) -> Option<(Position, JobEvent)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.is_over {
                return None;
            }
            if !self.subscription.due(&self.handle).await {
                return None;
            }
            if let Err(error) = self.look().await {
                tracing::debug!(job = %self.id, %error, "one who listens to a job cannot be told");
                return None;
            }
            self.subscription.mark_read();
        }
    }

    /// Reads what is new.
    async fn look(&mut self) -> Result<(), Error> {
        // A place among those who listen is a permit to look as well.
        let points = &self.handle.connections().point_reads;
        let found = self.handle.read(points, GetJobUpdate(self.id, self.position.log)).await?;
        let Some(news) = found else {
            self.is_over = true;
            self.ready.push_back((self.position, JobEvent::Gone(self.id)));
            return Ok(());
        };
        let stands = Position::stands(&news.job);
        let is_final = news.job.state.is_final();
        let is_moved = stands != self.position.stands;
        // Its last event is the whole job; read first, for what follows cannot be done by halves.
        let whole = if is_final && is_moved {
            let whole = self.handle.read_job(self.id).await?;
            if !whole.state.is_final() {
                // Begun anew in this moment, so the notify has rung again.
                return Ok(());
            }
            Some(whole)
        } else {
            None
        };
        self.push_events(news, whole, stands);
        self.is_over = is_final;
        Ok(())
    }

    fn push_events(&mut self, news: JobUpdate, whole: Option<Job>, stands: [i64; 6]) {
        let JobUpdate { mut job, log } = news;
        let failures = job.failures.take().unwrap_or_default();
        for failure in failures.into_iter().skip(self.position.failures as usize) {
            self.position.failures += 1;
            self.ready.push_back((self.position, JobEvent::Failure(failure)));
        }
        if !log.is_empty() {
            self.position.log = log.to;
            self.ready.push_back((self.position, JobEvent::Log(log)));
        }
        let is_moved = stands != self.position.stands;
        let is_further = job.progress != self.progress && !job.state.is_final();
        self.progress.clone_from(&job.progress);
        if is_moved {
            // It tells how far it is as well.
            self.position.stands = stands;
            let moved = JobEvent::State(Box::new(whole.unwrap_or(job)));
            self.ready.push_back((self.position, moved));
        } else if is_further && let Some(progress) = job.progress {
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
            Position { stands: [3, 1, 1_700_000_000_000, 5, 0, 1], failures: 2, log: 77 };
        assert_eq!(position.to_string(), "3-1-1700000000000-5-0-1-2-77");
        assert_eq!(position.to_string().parse(), Ok(position));
        for text in
            ["", "1", "1-2-3-4-5-6-7", "1-2-3-4-5-6-7-8-9", "a-2-3-4-5-6-7-8", "-1-2-3-4-5-6-7-8"]
        {
            assert_eq!(text.parse::<Position>(), Err(NotAPosition), "{text}");
        }
    }
}
