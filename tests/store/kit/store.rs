//! A store under test: a new database, its clock, and shorthands for common operations.

use std::sync::Arc;
use std::time::Duration;

use longshore::config::Config;
use longshore::job::lease::{Lease, LeasedJob};
use longshore::job::outcome::Outcome;
use longshore::job::{Job, JobId, Lane, NewJob, State, Timestamp};
use longshore::store::{
    Answer, Committed, Finished, MoveSummary, ReadStore, Refusal, Submitted, Write, WriteStore,
};

use super::backend::Backend;
use super::{
    START, completed, failed, finish, finish_remote, job, lease, leased, submit, submitted,
};

/// Store with a clock that tests control.
pub(crate) struct Store<B: Backend> {
    backend: Arc<B>,
    /// Whether a test has put an impossible row into the tables.
    is_corrupt: bool,
    config: Config,
    writes: Option<Box<dyn WriteStore>>,
    pub(crate) reads: Box<dyn ReadStore>,
    pub(crate) now: Timestamp,
}

impl<B: Backend> Store<B> {
    /// Creates an empty store with the default configuration.
    pub(crate) fn fresh() -> Self {
        Self::configured(Config::default())
    }

    /// Creates an empty store with the given configuration.
    pub(crate) fn configured(config: Config) -> Self {
        Self::on(B::fresh(), config, Timestamp::from_millis(START))
    }

    fn on(backend: B, config: Config, now: Timestamp) -> Self {
        let writes = Some(backend.open(&config).unwrap());
        let reads = backend.reads();
        Self { backend: Arc::new(backend), is_corrupt: false, config, writes, reads, now }
    }

    /// Returns the database of the store.
    pub(crate) fn backend(&self) -> Arc<B> {
        Arc::clone(&self.backend)
    }

    /// Runs SQL on the tables directly, with all constraints off, so that a row becomes impossible.
    pub(crate) fn corrupt(&mut self, sql: &str) {
        self.is_corrupt = true;
        self.backend.corrupt(sql);
    }

    /// Returns the faults that `longshore verify` finds.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.backend.faults()
    }

    /// Closes the store and opens it again, as a restart of the process does.
    pub(crate) fn reopen(&mut self) {
        self.writes = None;
        self.reads = self.backend.reads();
        self.writes = Some(self.backend.open(&self.config).unwrap());
    }

    /// Makes a copy of the store and opens it, as another process would. The original stays open.
    pub(crate) fn backed_up(&self) -> Self {
        Self::on(self.backend.backup(self.now), self.config.clone(), self.now)
    }

    pub(crate) fn config(&mut self) -> &mut Config {
        &mut self.config
    }

    pub(crate) fn writes(&mut self) -> &mut dyn WriteStore {
        &mut **self.writes.as_mut().unwrap()
    }

    /// Advances the clock.
    pub(crate) fn advance(&mut self, secs: u64) {
        self.now = self.now.plus(Duration::from_secs(secs));
    }

    /// Returns the time `secs` seconds from now.
    pub(crate) fn after(&self, secs: u64) -> Timestamp {
        self.now.plus(Duration::from_secs(secs))
    }

    /// Commits a group of writes.
    pub(crate) fn commit(&mut self, writes: &[Write]) -> Committed {
        let now = self.now;
        let committed = self.writes().commit(&writes.iter().collect::<Vec<_>>(), now).unwrap();
        assert_eq!(committed.answers.len(), writes.len(), "one answer per write");
        committed
    }

    /// Commits one write.
    pub(crate) fn write(&mut self, write: Write) -> Result<Answer, Refusal> {
        self.commit(&[write]).answers.remove(0)
    }

    pub(crate) fn submit_all(&mut self, jobs: Vec<NewJob>) -> Submitted {
        submitted(self.write(submit(jobs)))
    }

    pub(crate) fn submit(&mut self, job: NewJob) -> JobId {
        self.submit_all(vec![job]).first
    }

    /// Leases up to `limit` jobs of the default queue and the async lane.
    pub(crate) fn lease(&mut self, limit: u32) -> Vec<LeasedJob> {
        leased(self.write(lease("default", Lane::Async, limit)))
    }

    /// Leases the next job of the default queue and the async lane.
    pub(crate) fn lease_next(&mut self) -> LeasedJob {
        self.lease(1).pop().expect("a job to lease")
    }

    /// Submits a job and leases it.
    pub(crate) fn running(&mut self, job: NewJob) -> Lease {
        let id = self.submit(job);
        let lease = self.lease_next().lease;
        assert_eq!(lease.job, id, "another job was leased before it");
        lease
    }

    /// Creates a job and moves it to `state`.
    pub(crate) fn job_in(&mut self, state: State) -> JobId {
        if state == State::Scheduled {
            let run_at = self.after(3600);
            return self.submit(NewJob { run_at, is_scheduled: true, ..job() });
        }
        if state == State::Queued {
            return self.submit(job());
        }
        let lease = self.running(NewJob { priority: 100, ..job() });
        match state {
            State::Retrying => self.finish(lease, failed()).unwrap(),
            State::Completed => self.finish(lease, completed("1")).unwrap(),
            State::Failed => self.finish(lease, Outcome::fatal("broken", "it broke")).unwrap(),
            State::Cancelled => self.finish(lease, Outcome::Cancelled(None)).unwrap(),
            _ => return lease.job,
        };
        assert_eq!(self.state(lease.job), state);
        lease.job
    }

    /// Reports an outcome as a local worker.
    pub(crate) fn finish(&mut self, lease: Lease, outcome: Outcome) -> Result<Finished, Refusal> {
        self.commit_finish(finish(lease, outcome))
    }

    /// Reports an outcome as a remote worker.
    pub(crate) fn finish_remote(
        &mut self,
        lease: Lease,
        outcome: Outcome,
    ) -> Result<Finished, Refusal> {
        self.commit_finish(finish_remote(lease, outcome))
    }

    /// Reports an outcome as the kind of worker that runs the job's lane.
    pub(crate) fn finish_as_holder(
        &mut self,
        lease: Lease,
        outcome: Outcome,
    ) -> Result<Finished, Refusal> {
        let is_remote = self.job(lease.job).lane == Lane::Remote;
        let finish = if is_remote { finish_remote } else { finish };
        self.commit_finish(finish(lease, outcome))
    }

    fn commit_finish(&mut self, write: Write) -> Result<Finished, Refusal> {
        match self.write(write)? {
            Answer::Finished(finished) => Ok(finished),
            other => panic!("not an answer to a finish: {other:?}"),
        }
    }

    /// Commits a stage, an expiry or a rescue, and returns its summary.
    pub(crate) fn move_jobs(&mut self, write: Write) -> MoveSummary {
        match self.write(write) {
            Ok(Answer::Moved(moved)) => moved,
            other => panic!("nothing moved: {other:?}"),
        }
    }

    /// Commits a deletion or a prune, and returns how many jobs it removed.
    pub(crate) fn remove(&mut self, write: Write) -> usize {
        match self.write(write) {
            Ok(Answer::Removed(count)) => count,
            other => panic!("nothing removed: {other:?}"),
        }
    }

    /// Commits a cancellation, and returns how many jobs ended and which must stop.
    pub(crate) fn cancel(&mut self, write: Write) -> (usize, Vec<JobId>) {
        match self.write(write) {
            Ok(Answer::Cancelled { ended, mut running }) => {
                running.sort_unstable();
                (ended, running)
            }
            other => panic!("nothing cancelled: {other:?}"),
        }
    }

    pub(crate) fn job(&mut self, id: JobId) -> Job {
        self.reads.job(id).unwrap().expect("the job exists")
    }

    pub(crate) fn state(&mut self, id: JobId) -> State {
        self.job(id).state
    }

    pub(crate) fn exists(&mut self, id: JobId) -> bool {
        self.reads.job(id).unwrap().is_some()
    }
}

impl<B: Backend> Drop for Store<B> {
    fn drop(&mut self) {
        if !std::thread::panicking() && !self.is_corrupt {
            assert_eq!(self.backend.faults(), [""; 0], "the database is not sound");
        }
    }
}
