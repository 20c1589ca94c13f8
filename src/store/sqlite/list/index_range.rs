//! Where the ids of jobs stand in their order, by what is asked for.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::store::sql_types::{Integer, Text};
use crate::store::sqlite::statement::statement;

/// A stretch of an index in which the ids of jobs are in order.
#[derive(Debug, Clone)]
pub(super) enum Index<'f> {
    /// All jobs.
    All,
    /// Those that have completed: they and no others have a result.
    Completed,
    Batch(i64),
    Tag(&'f str),
    Listed {
        queue_id: i64,
        kind: String,
    },
    Queued {
        lane: i64,
        queue_id: i64,
        priority: i64,
    },
    /// Those of a state that stands in the index of rare ones.
    Rare {
        state: i64,
    },
    RareListed {
        state: i64,
        queue_id: i64,
        kind: String,
    },
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
     WHERE state = 1 AND lane = (" [lane: Integer as i64]
    " + 0) AND queue_id = " [queue_id: Integer as i64]
    " AND priority = " [priority: Integer as i64] " AND id <= " [top: Integer as i64]
    " ORDER BY id DESC LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    RareIds -> Integer =
    "SELECT id FROM jobs INDEXED BY jobs_rare
     WHERE state <> 1 AND state <> 2 AND state <> 4 AND state = (" [state: Integer as i64]
    " + 0) AND id <= " [top: Integer as i64]
    " ORDER BY id DESC LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    RareListedIds<'a> -> Integer =
    "SELECT id FROM jobs INDEXED BY jobs_rare_listed
     WHERE state <> 1 AND state <> 2 AND state <> 4 AND state = (" [state: Integer as i64]
    " + 0) AND queue_id = " [queue_id: Integer as i64] " AND kind = " [kind: Text as &'a str]
    " AND id <= " [top: Integer as i64]
    " ORDER BY id DESC LIMIT (" [limit: Integer as i64] " + 0)"
}

impl Index<'_> {
    /// The first ids that are not above `top`, the largest first.
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
            Self::Queued { lane, queue_id, priority } => {
                QueuedIds { lane, queue_id, priority, top, limit }.load(connection)
            }
            Self::Rare { state } => RareIds { state, top, limit }.load(connection),
            Self::RareListed { state, queue_id, ref kind } => {
                RareListedIds { state, queue_id, kind, top, limit }.load(connection)
            }
        }
    }
}
