//! Impossible rows: rows with a value that no version of this program writes.
//!
//! Such a row comes from a tool that edited the database, or from a broken disk or memory. It must not
//! affect other rows: a write that names it is refused, and writes and reads of many rows skip it.

use std::collections::{BTreeSet, HashSet};

use crate::job::JobId;
use crate::store::error::StoreError;

/// Maximum number of impossible rows that are remembered and logged.
const MAX_ROWS: usize = 10_000;

/// The impossible rows that a connection has met since it was opened. It logs each fault once.
///
/// Writes of many rows skip the jobs in this list, so that they meet them only once. A job that was
/// repaired is handled again after the next start.
#[derive(Debug)]
pub(crate) struct ImpossibleRows {
    /// What the connection does about such a row, for the log.
    effect: &'static str,
    jobs: BTreeSet<JobId>,
    logged: HashSet<String>,
}

impl ImpossibleRows {
    /// Creates the list of the write connection.
    pub(crate) fn of_writes() -> Self {
        Self::new("writes are refused or skip it")
    }

    /// Creates the list of a read connection.
    pub(crate) fn of_reads() -> Self {
        Self::new("lists omit it")
    }

    fn new(effect: &'static str) -> Self {
        Self { effect, jobs: BTreeSet::new(), logged: HashSet::new() }
    }

    /// Records an impossible row, which `fault` names and describes.
    pub(crate) fn note(&mut self, fault: &str) {
        if self.logged.len() < MAX_ROWS && self.logged.insert(fault.into()) {
            let effect = self.effect;
            tracing::error!(
                fault,
                effect,
                "the database holds an impossible row; `longshore verify` shows all of them"
            );
        }
    }

    /// Returns the value of a row, or `None` if the row is impossible, which is recorded.
    ///
    /// # Errors
    /// Returns every other error.
    pub(crate) fn skip<T>(
        &mut self,
        parsed: Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match parsed {
            Ok(value) => Ok(Some(value)),
            Err(StoreError::Corrupt(fault)) => {
                self.note(&fault);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Records the row of a job as impossible.
    pub(crate) fn note_job(&mut self, job: JobId, fault: &str) {
        self.note(fault);
        if self.jobs.len() < MAX_ROWS {
            self.jobs.insert(job);
        }
    }

    /// Returns whether no job is known to be impossible.
    pub(crate) fn has_no_jobs(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Returns the number of jobs to read so that `limit` of them are not known to be impossible.
    pub(crate) fn limit(&self, limit: i64) -> i64 {
        limit.saturating_add(self.jobs.len() as i64)
    }

    /// Returns whether a job is known to be impossible.
    pub(crate) fn contains(&self, job: JobId) -> bool {
        !self.jobs.is_empty() && self.jobs.contains(&job)
    }

    /// Returns the ids of the jobs as a JSON array.
    pub(crate) fn job_ids_json(&self) -> String {
        json_array(self.jobs.iter().map(|job| job.0))
    }
}

/// Returns ids as a JSON array, so that they are bound to a single parameter.
pub(crate) fn json_array(ids: impl Iterator<Item = i64>) -> String {
    let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    format!("[{}]", ids.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_known_after_it_was_noted_and_raises_the_limit_of_reads() {
        let mut rows = ImpossibleRows::of_writes();
        assert!(rows.has_no_jobs() && !rows.contains(JobId(7)));
        assert_eq!((rows.limit(10), rows.job_ids_json().as_str()), (10, "[]"));
        rows.note_job(JobId(7), "job 7 is in lane 9");
        rows.note_job(JobId(7), "job 7 is in lane 9");
        rows.note_job(JobId(3), "job 3 is in state 7");
        assert!(rows.contains(JobId(7)) && !rows.contains(JobId(4)));
        assert_eq!((rows.limit(10), rows.job_ids_json().as_str()), (12, "[3,7]"));
    }
}
