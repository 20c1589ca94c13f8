//! The bound on large jobs that a Reader has read and whose callers have not taken them yet.
//!
//! A Reader works on one read at a time, much faster than an answer of megabytes is written. Without a
//! bound, the results of 100 reads of a job of 5 MB would be in memory at once. Small results are not
//! counted, so that they cost nothing here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use crate::job::Job;

/// Size from which a job counts, in bytes.
const LARGE_BYTES: usize = 64 << 10;

/// Size of untaken jobs from which on a further read waits for its turn, in bytes.
const MAX_BYTES: usize = 8 << 20;

/// Maximum number of reads at a time that waited for their turn.
const TURNS: usize = 4;

/// The large jobs that are read and not taken.
pub(super) struct Untaken {
    pub(super) bytes: UntakenBytes,
    /// The turns of the reads that found the bound exceeded.
    pub(super) turns: Semaphore,
}

/// The total size of the large jobs that are read and not taken.
#[derive(Clone)]
pub(super) struct UntakenBytes(Arc<AtomicUsize>);

/// A job that counts until it is taken or dropped.
pub(super) struct UntakenJob {
    job: Option<Job>,
    /// `None` for a small job.
    count: Option<(UntakenBytes, usize)>,
}

impl Untaken {
    pub(super) fn new() -> Self {
        Self { bytes: UntakenBytes(Arc::default()), turns: Semaphore::new(TURNS) }
    }
}

impl UntakenBytes {
    /// Returns whether a further read must wait.
    pub(super) fn is_exceeded(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= MAX_BYTES
    }

    /// Counts a job that was read.
    pub(super) fn count(self, job: Option<Job>) -> UntakenJob {
        let bytes = job.as_ref().map_or(0, |job| {
            let payload = job.payload.as_ref().map_or(0, |payload| payload.as_str().len());
            let result = job.result.as_ref().and_then(Option::as_ref);
            payload + result.map_or(0, |result| result.as_str().len())
        });
        if bytes < LARGE_BYTES {
            return UntakenJob { job, count: None };
        }
        self.0.fetch_add(bytes, Ordering::Relaxed);
        UntakenJob { job, count: Some((self, bytes)) }
    }
}

impl UntakenJob {
    /// Returns the job, which counts no longer.
    pub(super) fn take(mut self) -> Option<Job> {
        self.job.take()
    }
}

impl Drop for UntakenJob {
    fn drop(&mut self) {
        if let Some((total, bytes)) = &self.count {
            total.0.fetch_sub(*bytes, Ordering::Relaxed);
        }
    }
}
