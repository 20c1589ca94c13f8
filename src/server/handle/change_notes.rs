//! Notes about what a request changes, for its line in the audit log: what its path does not say.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use crate::job::JobId;

/// Number of ids of jobs that are noted; further ones are only counted.
const MAX_IDS: usize = 20;

/// What a request has changed or was about to change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Id or name of what was created.
    pub(crate) created: Option<String>,
    /// Number of jobs that one request has named, or that were changed with their batch.
    pub(crate) jobs: Option<usize>,
    /// Ids of the first of them, separated by commas.
    pub(crate) job_ids: String,
}

/// The notes of one request, which its handle and its line in the log share.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChangeNotes(Arc<Mutex<Changes>>);

impl ChangeNotes {
    /// Returns what was noted so far.
    pub(crate) fn changes(&self) -> Changes {
        self.edit(|changes| changes.clone())
    }

    /// Adds jobs that the path of the request does not name.
    pub(in crate::server) fn add_jobs(&self, ids: &[JobId]) {
        self.edit(|changes| {
            let before = changes.jobs.unwrap_or(0);
            changes.jobs = Some(before + ids.len());
            for (index, id) in (before..=MAX_IDS).zip(ids) {
                let separator = if index == 0 { "" } else { "," };
                // Writing to a text cannot fail.
                let _ = match index {
                    MAX_IDS => write!(changes.job_ids, "{separator}..."),
                    _ => write!(changes.job_ids, "{separator}{id}"),
                };
            }
        });
    }

    /// Sets the id or name of what was created.
    pub(in crate::server) fn set_created(&self, id: String) {
        self.edit(|changes| changes.created = Some(id));
    }

    /// A poisoned lock is safe to use: notes are only read for the log.
    fn edit<T>(&self, edit: impl FnOnce(&mut Changes) -> T) -> T {
        edit(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_of_the_first_jobs_are_listed_and_all_are_counted() {
        let notes = ChangeNotes::default();
        assert_eq!(notes.changes().jobs, None);
        notes.add_jobs(&[JobId(1), JobId(7)]);
        notes.add_jobs(&[JobId(8)]);
        assert_eq!((notes.changes().jobs, &*notes.changes().job_ids), (Some(3), "1,7,8"));
        let many: Vec<JobId> = (10..40).map(JobId).collect();
        notes.add_jobs(&many);
        let Changes { jobs, job_ids, .. } = notes.changes();
        assert_eq!(jobs, Some(33));
        assert!(job_ids.ends_with(",25,26,..."), "{job_ids}");
        notes.add_jobs(&many);
        assert_eq!(notes.changes().job_ids, job_ids);
    }
}
