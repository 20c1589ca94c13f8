//! The handle: the bounded, typed client of the server, used by the HTTP API, the pages and
//! the application alike.

mod access;
mod answers;
pub(in crate::server) mod bounds;
mod change_notes;
mod compute;
pub(crate) mod light_bodies;
mod own_addresses;
mod reads;
mod share;
pub(crate) mod size;
pub(in crate::server) mod token_view;
mod turns;
mod untaken;

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use tokio::sync::watch;

use crate::actor::events::announcer::Announcer;
use crate::actor::events::publisher::Publisher;
use crate::actor::keeper::prune_hold::PruneHold;
use crate::actor::keyring::KeyEntry;
use crate::actor::keyring::Keyring;
use crate::actor::learned_kinds::SharedLearnedKinds;
use crate::actor::message::{Commit, Read, Reply};
use crate::actor::reader::Reader;
use crate::actor::webhook_secrets::SharedWebhookSecrets;
use crate::actor::writer::Writer;
use crate::actor::writer::inbox::WriterHandle;
use crate::auth::principal::Principal;
use crate::clock::Clock;
use crate::config::Config;
use crate::executor::Registry;
use crate::job::batch::Batch;
use crate::job::queue::{Queue, QueueChange, QueueName, StateCounts};
use crate::job::{BatchId, Job, JobId, JobPatch, Timestamp};
use crate::server::error::Error;
use crate::store::{
    Answer, BatchPage, JobFilter, JobPage, QueueSubset, ReadStore, StoreError, Write,
};

use bounds::{Bounds, try_acquire};
use size::{ByteShare, SIZE_UNIT};

pub(crate) use answers::{AnswerBudget, AnswerShare, AnswerWeight};
pub use bounds::MAX_FEEDS;
pub(crate) use change_notes::ChangeNotes;
pub(crate) use compute::LARGE_BYTES;

/// Maximum time that one call waits for the end of a job or batch; also the limit of `?wait=`.
pub const MAX_WAIT: Duration = Duration::from_secs(60);

/// The actors that requests go to.
pub(super) struct Connections {
    pub(super) writer: WriterHandle,
    /// The Writer, for messages about waiting workers.
    pub(super) lease_requests: Addr<Writer>,
    pub(super) point_reads: Addr<Reader>,
    pub(super) list_reads: Addr<Reader>,
    pub(super) announcer: Addr<Announcer>,
    pub(super) publisher: Publisher,
    pub(super) prune_hold: PruneHold,
    pub(super) keyring: Arc<Keyring>,
    pub(super) webhook_secrets: SharedWebhookSecrets,
    pub(super) learned_kinds: SharedLearnedKinds,
}

/// Phase of the server's life. It only moves forward.
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

/// Client of a running server. Cheap to clone; all clones share the same bounds.
///
/// Every call is bounded: past a bound it returns [`Error::Overloaded`] at once instead of queueing.
///
/// A handle acts for a [`Principal`]. Jobs, batches and queues that the principal may not use do not exist for
/// it. The handle of [`Server::handle`](crate::server::Server::handle) may use all of them.
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
    principal: Principal,
    /// API key of the principal, for its limits and its end.
    key: Option<Arc<KeyEntry>>,
    /// Whether the principal has a token that was made with the key.
    has_token: bool,
    /// Whether a client acts that needed no key, because none was ever created.
    is_keyless: bool,
    /// Notes about what the request of the principal changes, if they are logged.
    notes: Option<ChangeNotes>,
}

/// Result of a submission that may repeat an earlier one with the same idempotency key.
#[derive(Debug, Clone, PartialEq)]
pub struct Idempotent<T> {
    /// The submitted jobs or batch, from this submission or the earlier one.
    pub value: T,
    /// Whether the value comes from an earlier submission.
    pub is_repeat: bool,
}

impl Handle {
    pub(super) fn new(
        connections: Connections,
        registry: Arc<Registry>,
        config: Arc<Config>,
        clock: Clock,
    ) -> Self {
        let bounds = Bounds::new(&config.limits);
        let phase = watch::Sender::new(Phase::Serving);
        let inner = Arc::new(Inner { connections, bounds, registry, config, clock, phase });
        Self {
            inner,
            principal: Principal::TRUSTED,
            key: None,
            has_token: false,
            is_keyless: false,
            notes: None,
        }
    }

    /// Returns the configuration of the server.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Returns the time of the server's clock.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Returns whether the server leases jobs. It does not while it drains.
    pub fn is_ready(&self) -> bool {
        *self.inner.phase.borrow() == Phase::Serving
    }

    /// Returns the reason for which nothing can be written, such as a full disk, or `None` if writing
    /// works. The server finds out by itself when it works again.
    pub fn write_failure(&self) -> Option<String> {
        let health = self.inner.connections.writer.write_health();
        health.failure().map(|error| error.to_string())
    }

    pub(super) fn start_drain(&self) {
        self.enter(Phase::Draining);
    }

    pub(super) fn close(&self) {
        self.enter(Phase::Stopped);
    }

    fn enter(&self, next: Phase) {
        self.inner.phase.send_if_modified(|phase| {
            let is_later = *phase < next;
            *phase = next.max(*phase);
            is_later
        });
    }

    /// Returns one job with its payload, result and failures.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the job does not exist.
    pub async fn job(&self, id: JobId) -> Result<Job, Error> {
        let _permit = self.point_read_permit()?;
        self.read_job_with_waiting(id).await
    }

    /// Lists jobs, newest first.
    ///
    /// # Errors
    /// Returns [`Error::Unreadable`] if the database cannot be read.
    pub async fn jobs(&self, filter: JobFilter) -> Result<JobPage, Error> {
        let _permit = self.list_read_permit()?;
        self.list_read(move |store, _| store.jobs(&filter)).await
    }

    /// Returns at most `limit` jobs that failed most recently, the latest first, without
    /// payloads and results.
    ///
    /// # Errors
    /// Returns [`Error::Unreadable`] if the database cannot be read.
    pub async fn recent_failures(&self, limit: u32) -> Result<Vec<Job>, Error> {
        let _permit = self.list_read_permit()?;
        self.list_read(move |store, _| store.recent_failures(limit)).await
    }

    /// Returns one batch.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the batch does not exist.
    pub async fn batch(&self, id: BatchId) -> Result<Batch, Error> {
        let _permit = self.point_read_permit()?;
        self.read_batch(id).await
    }

    /// Lists batches, newest first: at most `limit` that are older than `before`.
    ///
    /// # Errors
    /// Returns [`Error::Unreadable`] if the database cannot be read.
    pub async fn batches(&self, limit: u32, before: Option<BatchId>) -> Result<BatchPage, Error> {
        let _permit = self.list_read_permit()?;
        self.list_read(move |store, _| store.batches(limit, before)).await
    }

    /// Returns all queues, sorted by name.
    ///
    /// # Errors
    /// Returns [`Error::Unreadable`] if the database cannot be read.
    pub async fn queues(&self) -> Result<Vec<Queue>, Error> {
        let _permit = self.list_read_permit()?;
        self.list_read(|store, now| store.queues(now)).await
    }

    /// Returns at most `max` queues, those with the most live jobs, sorted by name.
    ///
    /// # Errors
    /// Returns [`Error::Unreadable`] if the database cannot be read.
    pub async fn deepest_queues(&self, max: usize) -> Result<QueueSubset, Error> {
        let _permit = self.list_read_permit()?;
        self.list_read(move |store, now| store.deepest_queues(max, now)).await
    }

    /// Returns the number of jobs of each queue by state, from the counters in memory.
    pub fn counts(&self) -> Vec<(QueueName, StateCounts)> {
        let mut counts =
            self.inner.connections.publisher.recorder.with(|recorder| recorder.queues());
        counts.retain(|(queue, _)| self.access().allows(queue));
        counts
    }

    /// Returns one queue; `None` if no job was ever submitted to it and it was never configured.
    ///
    /// # Errors
    /// Returns [`Error::Unreadable`] if the database cannot be read.
    pub async fn queue(&self, name: QueueName) -> Result<Option<Queue>, Error> {
        let _permit = self.list_read_permit()?;
        self.list_read(move |store, now| store.queue(&name, now)).await
    }

    /// Changes a queue's settings, at once and across restarts. Creates the queue if it is new.
    ///
    /// # Errors
    /// Returns [`Error::Invalid`] if a limit would be out of range after the change, and
    /// [`Error::Forbidden`] if the principal may not use the queue.
    pub async fn configure(&self, name: QueueName, change: QueueChange) -> Result<Queue, Error> {
        self.check_queue(&name)?;
        // The permit for the read is taken first, so that a call that is refused changes nothing.
        let _permit = self.list_read_permit()?;
        let answer = self.write(Write::Configure { queue: name.clone(), change }, 0).await?;
        let queue = self.list_read(move |store, now| store.queue(&name, now)).await?;
        let queue = queue.ok_or(Error::Unreadable)?;
        // The answer has the settings of this call, even if a later one has changed them since.
        let Answer::Configured(settings) = answer else { return Ok(queue) };
        Ok(Queue { settings, ..queue })
    }

    /// Cancels a job. A job that is not running is cancelled at once; a running job is asked to stop.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the job does not exist or has already completed or failed.
    pub async fn cancel(&self, id: JobId) -> Result<Job, Error> {
        let _permit = self.point_read_permit()?;
        self.write(self.within_access(Write::Cancel(id)), 0).await?;
        self.read_job(id).await
    }

    /// Queues a final job again, or a retrying job without waiting for its next attempt.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the job does not exist or its state does not allow it.
    pub async fn retry(&self, id: JobId) -> Result<Job, Error> {
        let _permit = self.point_read_permit()?;
        self.write(self.within_access(Write::Retry(id)), 0).await?;
        self.read_job(id).await
    }

    /// Changes the time, priority, expiry or queue of a job that waits.
    ///
    /// # Errors
    /// Returns [`Error::Invalid`] with every problem of the patch, and [`Error::Refused`] if the job does
    /// not exist or does not wait.
    pub async fn update(&self, id: JobId, patch: JobPatch) -> Result<Job, Error> {
        let change = patch.check(self.clock().now()).map_err(Error::Invalid)?;
        if let Some(queue) = &change.queue {
            self.check_queue(queue)?;
        }
        let _permit = self.point_read_permit()?;
        self.write(self.within_access(Write::Update(id, change)), 0).await?;
        self.read_job(id).await
    }

    /// Deletes a final job.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the job does not exist or is not final.
    pub async fn delete(&self, id: JobId) -> Result<(), Error> {
        self.write(self.within_access(Write::Delete(id)), 0).await.map(drop)
    }

    /// Waits until the server has been stopped, so that no wait outlives it.
    pub(super) async fn stopped(&self) {
        let mut phase = self.inner.phase.subscribe();
        let _ = phase.wait_for(|phase| *phase == Phase::Stopped).await;
    }

    pub(super) fn connections(&self) -> &Connections {
        &self.inner.connections
    }

    /// Sends a write to the Writer and waits until it is on disk. `bytes` is the approximate size
    /// of the write.
    pub(super) async fn write(&self, write: Write, bytes: usize) -> Result<Answer, Error> {
        self.check_key_valid()?;
        let bounds = &self.inner.bounds;
        let mut permits = vec![try_acquire(&bounds.writes, 1)?];
        if bytes >= SIZE_UNIT {
            let share = match write.submission().is_some() {
                true => ByteShare::Submissions,
                false => ByteShare::Actions,
            };
            permits.push(self.write_size_permit(share, bytes)?);
        }
        let (reply, answer) = Reply::caller(permits);
        if !self.inner.connections.writer.commit(Commit { write, reply }) {
            return Err(Error::Stopped);
        }
        match answer.await {
            Ok(answer) => answer.map_err(Error::from),
            // The Writer died after it had accepted the write.
            Err(_) => Err(Error::Unknown),
        }
    }

    /// Runs a read of single rows on its Reader and waits for the result. The caller must hold a
    /// permit.
    pub(super) async fn point_read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut dyn ReadStore, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Error> {
        run_read(&self.inner.connections.point_reads, Read::within(self.access().clone(), read))
            .await
    }

    /// Runs a read of a list on its Reader and waits for the result. The caller must hold a permit.
    pub(super) async fn list_read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut dyn ReadStore, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Error> {
        let _turn = self.inner.bounds.list_turns.acquire().await;
        run_read(&self.inner.connections.list_reads, Read::within(self.access().clone(), read))
            .await
    }
}

async fn run_read<T: Send + 'static>(reader: &Addr<Reader>, read: Read<T>) -> Result<T, Error> {
    match reader.send(read).await {
        Ok(found) => Ok(found?),
        Err(_) => Err(Error::Stopped),
    }
}
