//! The one connections to the server: bounded, typed, and the same for HTTP, pages and applications.

use std::sync::Arc;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Message};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use crate::actor::announcer::Announcer;
use crate::actor::inbox::WriterHandle;
use crate::actor::message::{
    Commit, GetBatch, GetJob, GetQueue, ListBatches, ListDeepestQueues, ListJobs, ListQueues,
    ListRecentFailures, Reply,
};
use crate::actor::publisher::Publisher;
use crate::actor::reader::Reader;
use crate::clock::Clock;
use crate::config::Config;
use crate::executor::Registry;
use crate::job::batch::Batch;
use crate::job::problem::Problem;
use crate::job::queue::{Queue, QueueChange, QueueName, StateCounts};
use crate::job::{BatchId, Job, JobId, Lane, Timestamp};
use crate::server::error::Error;
use crate::store::{Answer, BatchPage, JobFilter, JobPage, QueueSubset, StoreError, Write};

/// The longest time that one call waits for an end: the limit of `?wait=`.
pub const MAX_WAIT: Duration = Duration::from_secs(60);

/// How many may listen to all jobs at once: the limit of `/v1/events`.
pub const MAX_FEEDS: usize = 256;

/// The unit in which submissions are weighed, in bytes: a semaphore counts in 32 bits.
const WEIGHT_UNIT: usize = 1024;

/// Where requests go.
pub(super) struct Connections {
    pub(super) writer: WriterHandle,
    pub(super) point_reads: Addr<Reader>,
    pub(super) list_reads: Addr<Reader>,
    pub(super) announcer: Addr<Announcer>,
    pub(super) publisher: Publisher,
}

/// What may be under way at once.
struct Bounds {
    writes: Arc<Semaphore>,
    write_weight: Arc<Semaphore>,
    /// Of single rows and of lists apart, so that many lists keep nobody from a status.
    point_reads: Arc<Semaphore>,
    list_reads: Arc<Semaphore>,
    waits: Arc<Semaphore>,
    /// Who listens to all jobs costs something for each that moves.
    feeds: Arc<Semaphore>,
    feed_turns: Arc<Semaphore>,
}

/// How far down the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    Draining,
    Stopped,
}

struct Inner {
    connections: Connections,
    bounds: Bounds,
    registry: Arc<Registry>,
    config: Arc<Config>,
    clock: Clock,
    phase: watch::Sender<Phase>,
}

/// The connections to a running server. Clones are the same connections.
#[derive(Clone)]
pub struct Handle(Arc<Inner>);

/// Jobs, and whether they come from an earlier submission with the same idempotency key.
#[derive(Debug, Clone, PartialEq)]
pub struct Idempotent<T> {
    /// What was submitted, now or then.
    pub value: T,
    /// Whether it was then.
    pub is_repeat: bool,
}

impl Handle {
    pub(super) fn new(
        connections: Connections,
        registry: Arc<Registry>,
        config: Arc<Config>,
        clock: Clock,
    ) -> Self {
        let limits = &config.limits;
        let bounds = Bounds {
            writes: Arc::new(Semaphore::new(limits.max_writes_in_flight)),
            write_weight: Arc::new(Semaphore::new(
                limits.max_write_bytes_in_flight.div_ceil(WEIGHT_UNIT),
            )),
            point_reads: Arc::new(Semaphore::new(limits.max_reads_in_flight)),
            list_reads: Arc::new(Semaphore::new(limits.max_reads_in_flight)),
            waits: Arc::new(Semaphore::new(limits.max_waits)),
            feeds: Arc::new(Semaphore::new(MAX_FEEDS)),
            feed_turns: Arc::new(Semaphore::new(1)),
        };
        let phase = watch::Sender::new(Phase::Serving);
        Self(Arc::new(Inner { connections, bounds, registry, config, clock, phase }))
    }

    /// The configuration that is in force.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The kinds that this server runs, sorted.
    pub fn kinds(&self) -> Vec<String> {
        self.0.registry.kinds()
    }

    /// The time by the server's clock.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The kinds that this server runs, sorted, each with the pool that runs it.
    pub fn lanes_of_kinds(&self) -> Vec<(String, Lane)> {
        self.0.registry.lanes_of_kinds()
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Whether the server leases jobs; not while it drains.
    pub fn is_ready(&self) -> bool {
        *self.0.phase.borrow() == Phase::Serving
    }

    pub(super) fn begin_drain(&self) {
        self.enter(Phase::Draining);
    }

    pub(super) fn close(&self) {
        self.enter(Phase::Stopped);
    }

    fn enter(&self, next: Phase) {
        self.0.phase.send_if_modified(|phase| {
            let is_later = *phase < next;
            *phase = next.max(*phase);
            is_later
        });
    }

    /// One job whole: payload, result, failures.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is none.
    pub async fn job(&self, id: JobId) -> Result<Job, Error> {
        let _permit = self.point_read_permit()?;
        self.read_job(id).await
    }

    /// Jobs, newest first.
    ///
    /// # Errors
    /// Where the table cannot be read.
    pub async fn jobs(&self, filter: JobFilter) -> Result<JobPage, Error> {
        let _permit = self.list_read_permit()?;
        self.read(&self.0.connections.list_reads, ListJobs(filter)).await
    }

    /// The jobs that failed last, the last one first; without payloads and results.
    ///
    /// # Errors
    /// Where the table cannot be read.
    pub async fn recent_failures(&self, limit: u32) -> Result<Vec<Job>, Error> {
        let _permit = self.list_read_permit()?;
        self.read(&self.0.connections.list_reads, ListRecentFailures(limit)).await
    }

    /// One batch.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is none.
    pub async fn batch(&self, id: BatchId) -> Result<Batch, Error> {
        let _permit = self.point_read_permit()?;
        self.read_batch(id).await
    }

    /// Batches, newest first: at most `limit`, older than `before`.
    ///
    /// # Errors
    /// Where the table cannot be read.
    pub async fn batches(&self, limit: u32, before: Option<BatchId>) -> Result<BatchPage, Error> {
        let _permit = self.list_read_permit()?;
        self.read(&self.0.connections.list_reads, ListBatches { limit, before }).await
    }

    /// Every queue, by name.
    ///
    /// # Errors
    /// Where the table cannot be read.
    pub async fn queues(&self) -> Result<Vec<Queue>, Error> {
        let _permit = self.list_read_permit()?;
        self.read(&self.0.connections.list_reads, ListQueues).await
    }

    /// The queues with the most live jobs, at most so many, by name.
    ///
    /// # Errors
    /// Where the table cannot be read.
    pub async fn deepest_queues(&self, most: usize) -> Result<QueueSubset, Error> {
        let _permit = self.list_read_permit()?;
        self.read(&self.0.connections.list_reads, ListDeepestQueues(most)).await
    }

    /// How many jobs each queue has, by state, as it is counted in memory.
    pub fn counts(&self) -> Vec<(QueueName, StateCounts)> {
        self.0.connections.publisher.recorder.with(|recorder| recorder.queues())
    }

    /// One queue; none where no job has named it and nobody has configured it.
    ///
    /// # Errors
    /// Where the table cannot be read.
    pub async fn queue(&self, name: QueueName) -> Result<Option<Queue>, Error> {
        let _permit = self.list_read_permit()?;
        self.read(&self.0.connections.list_reads, GetQueue(name)).await
    }

    /// Changes a queue's limits, in force at once and kept across restarts; makes the queue if it
    /// is new.
    ///
    /// # Errors
    /// [`Error::Invalid`] where a limit may not be.
    pub async fn configure(&self, name: QueueName, change: QueueChange) -> Result<Queue, Error> {
        if let Some((place, why)) = change.apply(Default::default()).problem() {
            return Err(Error::Invalid(vec![Problem::new(place, why)]));
        }
        // The permit for the look afterwards comes first: who is refused has changed nothing.
        let _permit = self.list_read_permit()?;
        self.write(Write::Configure { queue: name.clone(), change }, 0).await?;
        self.read(&self.0.connections.list_reads, GetQueue(name)).await?.ok_or(Error::Unreadable)
    }

    /// Calls off a job: at once if it does not run, else its worker is told to stop.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is no such job, or it ended otherwise before.
    pub async fn cancel(&self, id: JobId) -> Result<Job, Error> {
        let _permit = self.point_read_permit()?;
        self.write(Write::Cancel(id), 0).await?;
        self.read_job(id).await
    }

    /// Calls off every job of a batch.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is no such batch.
    pub async fn cancel_batch(&self, id: BatchId) -> Result<Batch, Error> {
        let _permit = self.point_read_permit()?;
        self.write(Write::CancelBatch(id), 0).await?;
        self.read_batch(id).await
    }

    /// Queues a final job once more, or one that waits for its next attempt.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is no such job, or its state does not allow it.
    pub async fn retry(&self, id: JobId) -> Result<Job, Error> {
        let _permit = self.point_read_permit()?;
        self.write(Write::Retry(id), 0).await?;
        self.read_job(id).await
    }

    /// Removes a final job.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is no such job, or it is not final.
    pub async fn delete(&self, id: JobId) -> Result<(), Error> {
        self.write(Write::Delete(id), 0).await.map(drop)
    }

    /// A permit to be among those who wait.
    pub(super) fn wait_permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        try_acquire(&self.0.bounds.waits, 1)
    }

    /// A permit to be among those who listen to all jobs.
    pub(super) fn feed_permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        try_acquire(&self.0.bounds.feeds, 1)
    }

    /// Waits until it is one's turn to read for a feed.
    pub(super) async fn feed_turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.bounds.feed_turns).acquire_owned().await.ok()
    }

    /// Ends when the server has been stopped: nobody is to wait in vain.
    pub(super) async fn stopped(&self) {
        let mut phase = self.0.phase.subscribe();
        let _ = phase.wait_for(|phase| *phase == Phase::Stopped).await;
    }

    pub(super) fn writer(&self) -> &WriterHandle {
        &self.0.connections.writer
    }

    pub(super) fn connections(&self) -> &Connections {
        &self.0.connections
    }

    pub(super) fn point_read_permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        try_acquire(&self.0.bounds.point_reads, 1)
    }

    pub(super) fn list_read_permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        try_acquire(&self.0.bounds.list_reads, 1)
    }

    /// Whoever calls this holds a permit.
    pub(super) async fn read_job(&self, id: JobId) -> Result<Job, Error> {
        self.read(&self.0.connections.point_reads, GetJob(id))
            .await?
            .ok_or_else(|| Error::no_job(id))
    }

    /// Whoever calls this holds a permit.
    pub(super) async fn read_batch(&self, id: BatchId) -> Result<Batch, Error> {
        self.read(&self.0.connections.point_reads, GetBatch(id))
            .await?
            .ok_or_else(|| Error::no_batch(id))
    }

    /// Hands a write to the Writer and waits until it is on disk. `bytes` is what it weighs.
    pub(super) async fn write(&self, write: Write, bytes: usize) -> Result<Answer, Error> {
        let bounds = &self.0.bounds;
        let mut permits = vec![try_acquire(&bounds.writes, 1)?];
        if bytes >= WEIGHT_UNIT {
            permits.push(self.weigh(bytes)?);
        }
        let (reply, answer) = oneshot::channel();
        let reply = Reply::Caller { reply, permits };
        if !self.0.connections.writer.commit(Commit { write, reply }) {
            return Err(Error::Stopped);
        }
        match answer.await {
            Ok(answer) => answer.map_err(Error::from),
            // The Writer went away with the write in its hands.
            Err(_) => Err(Error::Unknown),
        }
    }

    /// A permit for so many bytes of requests. What is heavier than all that may be under way goes
    /// alone.
    pub(crate) fn weigh(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Error> {
        let most = self.0.config.limits.max_write_bytes_in_flight / WEIGHT_UNIT;
        try_acquire(&self.0.bounds.write_weight, (bytes / WEIGHT_UNIT).clamp(1, most.max(1)))
    }

    pub(super) async fn read<M, T>(&self, reader: &Addr<Reader>, query: M) -> Result<T, Error>
    where
        M: Message<Result = Result<T, StoreError>> + Send + 'static,
        T: Send + 'static,
        Reader: actix::Handler<M>,
        <Reader as Actor>::Context: ToEnvelope<Reader, M>,
    {
        match reader.send(query).await {
            Ok(found) => Ok(found?),
            Err(_) => Err(Error::Stopped),
        }
    }
}

fn try_acquire(bound: &Arc<Semaphore>, count: usize) -> Result<OwnedSemaphorePermit, Error> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    match Arc::clone(bound).try_acquire_many_owned(count) {
        Ok(permit) => Ok(permit),
        Err(_) => Err(Error::Overloaded),
    }
}
