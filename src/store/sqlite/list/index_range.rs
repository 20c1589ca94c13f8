//! Index ranges in which the ids of jobs are in order.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;

/// A range of an index in which the ids of jobs are in order.
#[derive(Debug, Clone)]
pub(super) enum IndexRange<'f> {
    /// All jobs.
    All,
    /// Completed jobs, found by their results: only completed jobs have one.
    Completed,
    /// Jobs of a batch.
    Batch(i64),
    /// Jobs with a tag.
    Tag(&'f str),
    /// Jobs of a queue and kind.
    Listed { queue_id: i64, kind: String },
    /// Queued jobs of a lane, queue, provider and priority.
    Queued { lane: i64, queue_id: i64, provider_id: Option<i64>, priority: i64 },
    /// Jobs in a rare state: scheduled, retrying, failed or cancelled.
    Rare { state: i64 },
    /// Jobs of a queue and kind in a rare state.
    RareListed { state: i64, queue_id: i64, kind: String },
}

statement! {
    AllIds -> Integer =
    "SELECT id FROM jobs WHERE id <= " [top: Integer as i64]
    " ORDER BY id DESC LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    CompletedIds -> Integer =
    "SELECT job_id FROM results WHERE job_id <= " [top: Integer as i64]
    " ORDER BY job_id DESC LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    BatchIds -> Integer =
    "SELECT id FROM jobs INDEXED BY jobs_batch
     WHERE batch_id IS NOT NULL AND batch_id = (" [batch: Integer as i64]
    " + 0) AND id <= " [top: Integer as i64]
    " ORDER BY id DESC LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    TagIds<'a> -> Integer =
    "SELECT job_id FROM job_tags WHERE tag = " [tag: Text as &'a str]
    " AND job_id <= " [top: Integer as i64]
    " ORDER BY job_id DESC LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    ListedIds<'a> -> Integer =
    "SELECT id FROM jobs INDEXED BY jobs_listed WHERE queue_id = " [queue_id: Integer as i64]
    " AND kind = " [kind: Text as &'a str] " AND id <= " [top: Integer as i64]
    " ORDER BY id DESC LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    QueuedIds -> Integer =
    "SELECT id FROM jobs INDEXED BY jobs_queued
     WHERE state = " {Queued} " AND lane = (" [lane: Integer as i64]
    " + 0) AND queue_id = " [queue_id: Integer as i64]
    " AND provider_id IS " [provider_id: Nullable<Integer> as Option<i64>]
    " AND priority = " [priority: Integer as i64] " AND id <= " [top: Integer as i64]
    " ORDER BY id DESC LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    RareIds -> Integer =
    "SELECT id FROM jobs INDEXED BY jobs_rare
     WHERE state <> " {Queued} " AND state <> " {Running} " AND state <> " {Completed} " AND state = (" [state: Integer as i64]
    " + 0) AND id <= " [top: Integer as i64]
    " ORDER BY id DESC LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    RareListedIds<'a> -> Integer =
    "SELECT id FROM jobs INDEXED BY jobs_rare_listed
     WHERE state <> " {Queued} " AND state <> " {Running} " AND state <> " {Completed} " AND state = (" [state: Integer as i64]
    " + 0) AND queue_id = " [queue_id: Integer as i64] " AND kind = " [kind: Text as &'a str]
    " AND id <= " [top: Integer as i64]
    " ORDER BY id DESC LIMIT (" [limit: Integer as i64] " + 0)"
}

impl IndexRange<'_> {
    /// Returns the `limit` largest ids that are not above `top`, in descending order.
    pub(super) fn ids(
        &self,
        connection: &mut SqliteConnection,
        top: i64,
        limit: i64,
    ) -> QueryResult<Vec<i64>> {
        match *self {
            Self::All => AllIds { top, limit }.load(connection),
            Self::Completed => CompletedIds { top, limit }.load(connection),
            Self::Batch(batch) => BatchIds { batch, top, limit }.load(connection),
            Self::Tag(tag) => TagIds { tag, top, limit }.load(connection),
            Self::Listed { queue_id, ref kind } => {
                ListedIds { queue_id, kind, top, limit }.load(connection)
            }
            Self::Queued { lane, queue_id, provider_id, priority } => {
                QueuedIds { lane, queue_id, provider_id, priority, top, limit }.load(connection)
            }
            Self::Rare { state } => RareIds { state, top, limit }.load(connection),
            Self::RareListed { state, queue_id, ref kind } => {
                RareListedIds { state, queue_id, kind, top, limit }.load(connection)
            }
        }
    }
}
