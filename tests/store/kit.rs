//! A store under test: a new database, its clock, and shorthands for common operations.

pub(crate) mod sqlite;
pub(crate) mod statements;

use std::time::Duration;

use longshore::config::Config;
use longshore::job::lease::{Lease, LeasedJob};
use longshore::job::outcome::{JobResult, Outcome};
use longshore::job::retry::Backoff;
use longshore::job::{Job, JobId, Json, Lane, NewJob, QueueName, Span, State, Tag, Timestamp};
use longshore::roster::LeaseOrder;
use longshore::store::{
    Answer, Committed, Finish, Finished, Holder, LeaseRequest, MoveSummary, OpenError, ReadStore,
    Refusal, Renew, Submit, Submitted, Write, WriteStore,
};

/// Storage backend that this suite can test.
pub(crate) trait Backend {
    /// Opens the database for writing, and creates it if it does not exist.
    fn open(&self, config: &Config) -> Result<Box<dyn WriteStore>, OpenError>;

    /// Opens a read connection.
    fn reads(&self) -> Box<dyn ReadStore>;

    /// Returns the faults that `longshore verify` finds in the database.
    fn faults(&self) -> Vec<String>;

    /// Makes a copy of the database in a new directory, as `longshore backup` does.
    fn backup(&self, now: Timestamp) -> Box<dyn Backend>;
}

/// Store with a clock that tests control.
pub(crate) struct Store {
    backend: Box<dyn Backend>,
    config: Config,
    writes: Option<Box<dyn WriteStore>>,
    pub(crate) reads: Box<dyn ReadStore>,
    pub(crate) now: Timestamp,
}

/// Time at which tests start, in milliseconds since 1970.
pub(crate) const START: i64 = 1_000_000;

/// Duration of leases, unless a test chooses another.
pub(crate) const LEASE: Span = Span::from_secs(60);

impl Store {
    /// Creates an empty store with the default configuration.
    pub(crate) fn fresh() -> Self {
        Self::configured(Config::default())
    }

    /// Creates an empty store with the given configuration. This function chooses the backend.
    pub(crate) fn configured(config: Config) -> Self {
        Self::on(sqlite::Sqlite::fresh(), config)
    }

    pub(crate) fn on(backend: impl Backend + 'static, config: Config) -> Self {
        let writes = Some(backend.open(&config).unwrap());
        let reads = backend.reads();
        let now = Timestamp::from_millis(START);
        Self { backend: Box::new(backend), config, writes, reads, now }
    }

    /// Closes the store and opens it again, as a restart of the process does.
    pub(crate) fn reopen(&mut self) {
        self.writes = None;
        self.reads = self.backend.reads();
        self.writes = Some(self.backend.open(&self.config).unwrap());
    }

    /// Makes a copy of the store and opens it, as another process would. The original stays open.
    pub(crate) fn backed_up(&self) -> Self {
        let backend = self.backend.backup(self.now);
        let writes = Some(backend.open(&self.config).unwrap());
        let (reads, config) = (backend.reads(), self.config.clone());
        Self { backend, config, writes, reads, now: self.now }
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
        let group: Vec<&Write> = writes.iter().collect();
        let committed = self.writes().commit(&group, now).unwrap();
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
            State::Cancelled => self.finish(lease, Outcome::Cancelled).unwrap(),
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

impl Drop for Store {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.backend.faults(), [""; 0], "the database is not sound");
        }
    }
}

/// Returns a plain job. Its backoff has no jitter.
pub(crate) fn job() -> NewJob {
    NewJob {
        kind: "echo".parse().unwrap(),
        lane: Lane::Async,
        queue: QueueName::default(),
        priority: 0,
        run_at: Timestamp::from_millis(START),
        is_scheduled: false,
        timeout: Span::from_secs(30),
        max_attempts: 3,
        backoff: Backoff { jitter: 0.0, ..Backoff::default() },
        at_most_once: false,
        expires_at: None,
        tags: Vec::new(),
        payload: Json::null(),
    }
}

/// Returns a job with a timeout of 0, which a constraint of the database refuses.
pub(crate) fn impossible_job() -> NewJob {
    NewJob { timeout: Span::from_millis(0), ..job() }
}

pub(crate) fn job_in_queue(name: &str) -> NewJob {
    NewJob { queue: queue(name), ..job() }
}

pub(crate) fn tags(texts: &[&str]) -> Vec<Tag> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub(crate) fn queue(name: &str) -> QueueName {
    name.parse().unwrap()
}

pub(crate) fn submit(jobs: Vec<NewJob>) -> Write {
    Write::Submit(Submit { jobs: jobs.into(), key: None, batch: None })
}

/// Returns a lease request of a remote worker for certain kinds.
pub(crate) fn lease_kinds(kinds: &[&str]) -> Write {
    let kinds = Some(kinds.iter().map(|kind| kind.to_string()).collect());
    let order = LeaseOrder {
        queue: queue("default"),
        lane: Lane::Remote,
        kinds,
        limit: 10,
        waiting_worker: None,
    };
    Write::Lease(LeaseRequest { order, duration: LEASE, worker: Some("ann".into()) })
}

pub(crate) fn lease(name: &str, lane: Lane, limit: u32) -> Write {
    let order = LeaseOrder { queue: queue(name), lane, kinds: None, limit, waiting_worker: None };
    Write::Lease(LeaseRequest { order, duration: LEASE, worker: None })
}

/// Returns the finish of a local worker.
pub(crate) fn finish(lease: Lease, outcome: Outcome) -> Write {
    Write::Finish(Finish {
        lease,
        outcome,
        holder: Holder::Local,
        location: None,
        started_at: None,
    })
}

/// Returns the finish of a remote worker.
pub(crate) fn finish_remote(lease: Lease, outcome: Outcome) -> Write {
    Write::Finish(Finish {
        lease,
        outcome,
        holder: Holder::Remote,
        location: None,
        started_at: None,
    })
}

/// Returns the renewal of a local worker.
pub(crate) fn renew(leases: &[Lease], duration: Span) -> Renew {
    let leases = leases.to_vec();
    Renew { leases, duration: Some(duration), holder: Holder::Local, progress: None }
}

/// Returns the renewal of a remote worker, for the duration that it first asked for.
pub(crate) fn renew_remote(leases: &[Lease]) -> Renew {
    Renew { leases: leases.to_vec(), duration: None, holder: Holder::Remote, progress: None }
}

pub(crate) fn completed(json: &str) -> Outcome {
    Outcome::Completed(JobResult::whole(Json::trusted(json)))
}

pub(crate) fn failed() -> Outcome {
    Outcome::retryable("timeout", "too slow")
}

pub(crate) fn submitted(answer: Result<Answer, Refusal>) -> Submitted {
    match answer {
        Ok(Answer::Submitted(submitted)) => submitted,
        other => panic!("nothing submitted: {other:?}"),
    }
}

pub(crate) fn leased(answer: Result<Answer, Refusal>) -> Vec<LeasedJob> {
    match answer {
        Ok(Answer::Leased(leased)) => leased.jobs,
        other => panic!("nothing leased: {other:?}"),
    }
}

/// Returns the ids of leased jobs.
pub(crate) fn ids(jobs: &[LeasedJob]) -> Vec<JobId> {
    jobs.iter().map(|job| job.lease.job).collect()
}
