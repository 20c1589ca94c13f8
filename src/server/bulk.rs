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
    /// the results are in the order of `ids`. A repeated id has the result of the first one, and the
    /// action is applied once.
    ///
    /// # Errors
    /// Returns [`Error::Invalid`] if `ids` is empty or has more than [`MAX_BULK_ACTIONS`] ids; no job
    /// is changed then.
    pub async fn apply_to_all(
        &self,
        action: JobAction,
        ids: Vec<JobId>,
    ) -> Result<Vec<Result<(), Refusal>>, Error> {
        check_count(ids.len()).map_err(|problem| Error::Invalid(vec![problem]))?;
        let (unique, positions) = deduplicate(&ids);
        self.note_jobs(&unique);
        let bytes = unique.len() * size_of::<Write>();
        let writes = unique.into_iter().map(|job| action.write(job)).collect();
        let write = self.within_access(Write::Each(writes));
        let Answer::Each(answers) = self.write(write, bytes).await? else {
            return Err(Error::Unknown);
        };
        let result = |position: usize| match answers.get(position) {
            Some(Ok(_)) => Ok(Ok(())),
            Some(Err(refusal)) => Ok(Err(refusal.clone())),
            None => Err(Error::Unknown),
        };
        positions.into_iter().map(result).collect()
    }
}

/// Checks the number of entries in a bulk action.
///
/// # Errors
/// Returns a problem without a pointer if there is no entry or more than [`MAX_BULK_ACTIONS`].
pub(crate) fn check_count(count: usize) -> Result<(), Problem> {
    if (1..=MAX_BULK_ACTIONS).contains(&count) {
        return Ok(());
    }
    let detail = format!("must have 1 to {MAX_BULK_ACTIONS} ids, but has {count}");
    Err(Problem::new("", detail))
}

/// Returns the ids without repetitions, and for each of the given ids its position among them.
///
/// For example the ids 7, 9, 7 become 7, 9 and the positions 0, 1, 0.
fn deduplicate(ids: &[JobId]) -> (Vec<JobId>, Vec<usize>) {
    let mut unique = Vec::with_capacity(ids.len());
    let mut position_of = HashMap::with_capacity(ids.len());
    let position = |id: &JobId| {
        *position_of.entry(*id).or_insert_with(|| {
            unique.push(*id);
            unique.len() - 1
        })
    };
    let positions = ids.iter().map(position).collect();
    (unique, positions)
}
