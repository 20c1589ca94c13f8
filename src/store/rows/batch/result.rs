//! Rows of jobs with their results, without their payloads.

use diesel::dsl::Nullable;
use diesel::prelude::*;

use crate::job::batch::result::BatchResult;
use crate::job::{JobError, JobId, Json};
use crate::store::error::StoreError;
use crate::store::rows::values::{state_of, tags_of};
use crate::store::schema::{job_extras, jobs, results};

/// Columns of a [`BatchResult`].
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(crate) struct BatchResultRow {
    id: i64,
    state: i64,
    error_code: Option<String>,
    error_message: Option<String>,
    tags: Option<String>,
    kind: String,
    #[diesel(select_expression = results::result.nullable())]
    #[diesel(select_expression_type = Nullable<results::result>)]
    result: Option<String>,
    #[diesel(select_expression = results::truncated.nullable())]
    #[diesel(select_expression_type = Nullable<results::truncated>)]
    truncated: Option<i64>,
    #[diesel(select_expression = job_extras::metadata.nullable())]
    #[diesel(select_expression_type = Nullable<job_extras::metadata>)]
    metadata: Option<String>,
}

impl BatchResultRow {
    pub(crate) fn into_result(self) -> Result<BatchResult, StoreError> {
        let error = self.error_code.zip(self.error_message);
        Ok(BatchResult {
            id: JobId(self.id),
            kind: self.kind,
            state: state_of(self.id, self.state)?,
            result: self.result.map(Json::trusted),
            result_truncated: self.truncated == Some(1),
            error: error.map(|(code, message)| JobError { code, message }),
            tags: tags_of(self.tags.as_deref()),
            metadata: self.metadata.map(Json::trusted),
        })
    }
}
