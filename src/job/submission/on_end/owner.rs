//! The job or batch whose end causes something.

use std::fmt;

use crate::job::{BatchId, JobId};

/// The job or batch whose end causes something: webhooks and follow-up jobs belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A job.
    Job(JobId),
    /// A batch.
    Batch(BatchId),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(id) => write!(f, "job {id}"),
            Self::Batch(id) => write!(f, "batch {id}"),
        }
    }
}
