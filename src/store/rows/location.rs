//! Rows that say where a job is.

use diesel::prelude::*;

use crate::job::{BatchId, JobId, KeyId, State, Timestamp};
use crate::store::error::StoreError;
use crate::store::group::names::{ProviderIds, QueueIds};
use crate::store::rows::values::{corrupt, lane_of, state_of};
use crate::store::schema::jobs;
use crate::store::write::JobLocation;

/// Columns of a [`JobLocation`].
#[derive(Debug, Clone, Copy, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(crate) struct LocationRow {
    pub(crate) id: i64,
    pub(crate) queue_id: i64,
    pub(crate) lane: i64,
    pub(crate) batch_id: Option<i64>,
    pub(crate) provider_id: Option<i64>,
    pub(crate) key_id: Option<i64>,
}

impl LocationRow {
    /// Converts the row to a location.
    pub(crate) fn parse(
        self,
        queues: &QueueIds,
        providers: &ProviderIds,
    ) -> Result<JobLocation, StoreError> {
        let Self { id, queue_id, lane, batch_id, provider_id, key_id } = self;
        let queue = queues.name(queue_id).ok_or_else(|| unknown_queue(id, queue_id))?;
        Ok(JobLocation {
            job: JobId(id),
            queue: queue.clone(),
            lane: lane_of(id, lane)?,
            batch: batch_id.map(BatchId),
            provider: provider_id.and_then(|id| providers.name(id).cloned()),
            key: key_id.map(KeyId),
        })
    }
}

/// Returns the error for a job in a queue that does not exist.
pub(crate) fn unknown_queue(job: i64, queue: i64) -> StoreError {
    corrupt(
        format_args!("job {job}"),
        format_args!("is in queue {queue}, which does not exist or has an invalid name"),
    )
}

/// Location and state of a job.
#[derive(Debug, Clone, Copy, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(crate) struct LocatedRow {
    #[diesel(embed)]
    pub(crate) location: LocationRow,
    state: i64,
}

impl LocatedRow {
    pub(crate) fn state(&self) -> Result<State, StoreError> {
        state_of(self.location.id, self.state)
    }
}

/// A job that waits, with what an update can change.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(crate) struct WaitingRow {
    #[diesel(embed)]
    pub(crate) located: LocatedRow,
    pub(crate) run_at: i64,
    pub(crate) priority: i64,
    pub(crate) expires_at: Option<i64>,
    error_code: Option<String>,
}

impl WaitingRow {
    /// Returns the state in which the job waits for its `run_at`. See [`StagedRow::from`].
    pub(crate) fn state_before_due(&self) -> State {
        if self.error_code.is_none() { State::Scheduled } else { State::Retrying }
    }
}

/// Location and error of a job that is queued.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(crate) struct StagedRow {
    #[diesel(embed)]
    pub(crate) location: LocationRow,
    error_code: Option<String>,
}

impl StagedRow {
    /// Returns the state from which the job was staged. A job that waits for another attempt has the
    /// error of the last one, and a scheduled job has no error.
    pub(crate) fn from(&self) -> State {
        if self.error_code.is_none() { State::Scheduled } else { State::Retrying }
    }
}

/// Location and start time of a running job.
#[derive(Debug, Clone, Copy, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(crate) struct RunningLocationRow {
    #[diesel(embed)]
    pub(crate) location: LocationRow,
    started_at: Option<i64>,
}

impl RunningLocationRow {
    pub(crate) fn started_at(&self) -> Option<Timestamp> {
        self.started_at.map(Timestamp::from_millis)
    }
}

/// Location, state and tags of a job that is removed.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(crate) struct RemovedRow {
    #[diesel(embed)]
    pub(crate) located: LocatedRow,
    pub(crate) tags: Option<String>,
}
