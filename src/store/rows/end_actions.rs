//! Rows of what happens when a job or batch ends.

pub(crate) mod delivery;

use diesel::prelude::*;
use serde::de::DeserializeOwned;

use crate::job::JobId;
use crate::job::submission::on_end::callback::Callback;
use crate::job::submission::on_end::follow_up::FollowUp;
use crate::job::submission::on_end::then::Then;
use crate::store::group::impossible::ImpossibleRows;
use crate::store::schema::end_actions;

/// What happens when one job ends.
#[derive(Debug, Default, Queryable, Selectable)]
#[diesel(table_name = end_actions)]
pub(crate) struct EndActionsRow {
    /// Id of the job, or of the batch if the row is of a batch.
    #[diesel(column_name = "job_id")]
    pub(crate) owner: i64,
    callback: Option<String>,
    then_job: Option<String>,
    then_id: Option<i64>,
}

impl EndActionsRow {
    /// Returns the webhook. One that cannot be read is noted and forgotten.
    pub(crate) fn callback(&self, impossible: &mut ImpossibleRows) -> Option<Callback> {
        self.read("callback", self.callback.as_deref(), impossible)
    }

    /// Returns the follow-up job, unless it was inserted. One that cannot be read is noted and forgotten.
    pub(crate) fn follow_up(&self, impossible: &mut ImpossibleRows) -> Option<FollowUp> {
        let text = self.then_job.as_deref().filter(|_| self.then_id.is_none());
        self.read("then_job", text, impossible)
    }

    /// Returns the webhook and the follow-up job as the API shows them. Those that cannot be read are not
    /// shown.
    pub(crate) fn shown(&self) -> (Option<Callback>, Option<Then>) {
        let follow_up: Option<FollowUp> = parse(self.then_job.as_deref()).and_then(Result::ok);
        let job = self.then_id.map(JobId);
        let then = follow_up.map(|follow_up| Then { job, ..follow_up.shown() });
        (parse(self.callback.as_deref()).and_then(Result::ok), then)
    }

    fn read<T: DeserializeOwned>(
        &self,
        column: &str,
        text: Option<&str>,
        impossible: &mut ImpossibleRows,
    ) -> Option<T> {
        match parse(text)? {
            Ok(value) => Some(value),
            Err(error) => {
                let owner = self.owner;
                impossible.note(&format!("the end actions of {owner} have an invalid {column}: {error}"));
                None
            }
        }
    }
}

fn parse<T: DeserializeOwned>(text: Option<&str>) -> Option<Result<T, serde_json::Error>> {
    text.map(serde_json::from_str)
}
