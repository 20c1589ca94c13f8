//! Bulk actions: one action on many jobs.

use std::collections::HashMap;

use crate::job::JobId;
use crate::job::problem::Problem;
use crate::server::error::Error;
use crate::server::handle::Handle;
use crate::store::{Answer, Refusal, Write};

/// Maximum number of jobs in one bulk action. All of them share one transaction, which other writes
/// must wait for.
pub const MAX_BULK_ACTIONS: usize = 1_000;

/// Action that can be applied to many jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobAction {
    /// Cancels each job, as [`Handle::cancel`] does.
    Cancel,
    /// Queues each job again, as [`Handle::retry`] does.
    Retry,
    /// Deletes each job, as [`Handle::delete`] does.
    Delete,
}

impl JobAction {
    fn write(self, job: JobId) -> Write {
        match self {
            Self::Cancel => Write::Cancel(job),
            Self::Retry => Write::Retry(job),
            Self::Delete => Write::Delete(job),
        }
    }
}

impl Handle {
    /// Applies one action to many jobs in one transaction. Each job is accepted or refused by itself;
    /// the results are in the order of `ids`.
    ///
    /// # Errors
    /// Returns [`Error::Invalid`] if `ids` is empty, has more than [`MAX_BULK_ACTIONS`] ids, or
    /// lists an id more than once; no job is changed then. The pointer of a problem is the index of
    /// the id, from 0.
    pub async fn apply_to_all(
        &self,
        action: JobAction,
        ids: Vec<JobId>,
    ) -> Result<Vec<Result<(), Refusal>>, Error> {
        check(&ids).map_err(Error::Invalid)?;
        let bytes = ids.len() * size_of::<Write>();
        let writes = ids.into_iter().map(|job| action.write(job)).collect();
        match self.write(Write::Each(writes), bytes).await? {
            Answer::Each(answers) => {
                Ok(answers.into_iter().map(|answer| answer.map(drop)).collect())
            }
            _ => Err(Error::Unknown),
        }
    }
}

/// Checks the ids of a bulk action. A repeated id is refused, because its second result would only
/// show the effect of the first.
fn check(ids: &[JobId]) -> Result<(), Vec<Problem>> {
    if !(1..=MAX_BULK_ACTIONS).contains(&ids.len()) {
        let detail = format!("must have 1 to {MAX_BULK_ACTIONS} ids, but has {}", ids.len());
        return Err(vec![Problem::new("", detail)]);
    }
    let mut first_index = HashMap::with_capacity(ids.len());
    let mut problems = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        if let Some(first) = first_index.insert(id, index) {
            let detail = format!("{id} is listed more than once, first at index {first}");
            problems.push(Problem::new(format!("/{index}"), detail));
            first_index.insert(id, first);
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}
