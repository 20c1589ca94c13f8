//! Stores what the end of a job or batch causes.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::submission::on_end::{OnEnd, Owner};
use crate::job::{BatchId, JobId};
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;

statement! {
    InsertOfJob<'a> =
    "INSERT INTO end_actions (job_id, callback, then_job)
     VALUES (" [id: Integer as i64] ", " [callback: Nullable<Text> as Option<&'a str>]
    ", " [then_job: Nullable<Text> as Option<&'a str>] ")"
}

statement! {
    InsertOfBatch<'a> =
    "INSERT INTO batch_end_actions (batch_id, callback, then_job)
     VALUES (" [id: Integer as i64] ", " [callback: Nullable<Text> as Option<&'a str>]
    ", " [then_job: Nullable<Text> as Option<&'a str>] ")"
}

statement! {
    SetFollowUpOfJob =
    "UPDATE end_actions SET then_id = " [follow_up: Integer as i64]
    " WHERE job_id = " [id: Integer as i64]
}

statement! {
    SetFollowUpOfBatch =
    "UPDATE batch_end_actions SET then_id = " [follow_up: Integer as i64]
    " WHERE batch_id = " [id: Integer as i64]
}

statement! {
    InsertDelivery =
    "INSERT INTO deliveries (id, job_id, batch_id) VALUES (" [id: Integer as i64]
    ", " [job: Nullable<Integer> as Option<i64>]
    ", " [batch: Nullable<Integer> as Option<i64>] ")"
}

impl Owner {
    /// Stores what the end causes.
    pub(super) fn insert(
        self,
        on_end: &OnEnd,
        connection: &mut SqliteConnection,
    ) -> QueryResult<()> {
        let callback = on_end.callback.as_ref().and_then(|callback| serde_json::to_string(callback).ok());
        let then_job = on_end.then.as_ref().and_then(|then| serde_json::to_string(then).ok());
        let (callback, then_job) = (callback.as_deref(), then_job.as_deref());
        match self {
            Self::Job(JobId(id)) => InsertOfJob { id, callback, then_job }.execute(connection)?,
            Self::Batch(BatchId(id)) => {
                InsertOfBatch { id, callback, then_job }.execute(connection)?
            }
        };
        Ok(())
    }

    /// Notes that the follow-up job was inserted, so that it is never inserted again.
    pub(super) fn set_follow_up(
        self,
        follow_up: JobId,
        connection: &mut SqliteConnection,
    ) -> QueryResult<()> {
        let JobId(follow_up) = follow_up;
        match self {
            Self::Job(JobId(id)) => SetFollowUpOfJob { follow_up, id }.execute(connection)?,
            Self::Batch(BatchId(id)) => SetFollowUpOfBatch { follow_up, id }.execute(connection)?,
        };
        Ok(())
    }

    /// Notes which job delivers a webhook.
    pub(super) fn insert_delivery(
        self,
        delivery: JobId,
        connection: &mut SqliteConnection,
    ) -> QueryResult<()> {
        let (job, batch) = match self {
            Self::Job(id) => (Some(id.0), None),
            Self::Batch(id) => (None, Some(id.0)),
        };
        InsertDelivery { id: delivery.0, job, batch }.execute(connection)?;
        Ok(())
    }
}
