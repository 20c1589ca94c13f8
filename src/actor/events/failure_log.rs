//! The log lines about jobs that failed for good: one for each job, and a sum where they would be too many.

use std::time::Duration;

use tokio::time::Instant;

use crate::job::{Change, FailedAttempt, JobId, QueueName};

/// Maximum number of lines in a window.
const MAX_LINES: u32 = 500;
/// Length of a window, which starts with the first job that fails after the one before.
const WINDOW: Duration = Duration::from_secs(10);

/// A job that failed for good. Its error message is left out, because others wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FailedJob {
    pub(crate) job: JobId,
    pub(crate) queue: QueueName,
    pub(crate) attempt: FailedAttempt,
}

impl FailedJob {
    /// Returns the jobs among the changes that failed for good.
    pub(crate) fn all(changes: &[Change]) -> Vec<Self> {
        let failed = |change: &Change| {
            let attempt = change.failed.as_deref()?.clone();
            Some(Self { job: change.job, queue: change.queue.clone(), attempt })
        };
        changes.iter().filter_map(failed).collect()
    }
}

/// Logs failed jobs within bounds.
#[derive(Debug, Default)]
pub(crate) struct FailureLog {
    /// Start of the window.
    started_at: Option<Instant>,
    /// Number of lines in the window.
    lines: u32,
    /// Number of jobs in the window that have no line.
    omitted: u64,
}

impl FailureLog {
    /// Logs jobs that failed. Returns the time after which to call [`Self::end_old_window`], if the
    /// first job without a line in this window is among them.
    pub(crate) fn log(&mut self, failed: &[FailedJob], now: Instant) -> Option<Duration> {
        let had_omitted = self.omitted > 0;
        for FailedJob { job, queue, attempt: FailedAttempt { kind, attempt, code } } in failed {
            if self.has_room(now) {
                // Values that are recorded as text have their control characters escaped.
                let (job, queue) = (job.0, queue.as_str());
                tracing::info!(job, kind, queue, attempt, code, "a job failed for good");
            }
        }
        let started_at = self.started_at.filter(|_| self.omitted > 0 && !had_omitted)?;
        Some((started_at + WINDOW).saturating_duration_since(now))
    }

    /// Counts a job. Returns whether it gets a line.
    fn has_room(&mut self, now: Instant) -> bool {
        self.end_old_window(now);
        self.started_at.get_or_insert(now);
        if self.lines < MAX_LINES {
            self.lines += 1;
            return true;
        }
        self.omitted += 1;
        false
    }

    /// Ends the window if its time is over.
    pub(crate) fn end_old_window(&mut self, now: Instant) {
        if self.started_at.is_some_and(|started_at| now >= started_at + WINDOW) {
            self.end_window();
        }
    }

    /// Ends the window and logs the number of jobs that have no line.
    fn end_window(&mut self) {
        let omitted = std::mem::take(&mut self.omitted);
        (self.started_at, self.lines) = (None, 0);
        if omitted > 0 {
            let secs = WINDOW.as_secs();
            tracing::info!(jobs = omitted, "more jobs failed for good in the last {secs} s");
        }
    }
}

impl Drop for FailureLog {
    /// Logs the sum of the last window when the server stops.
    fn drop(&mut self) {
        self.end_window();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_a_bounded_number_of_lines_and_the_rest_is_counted() {
        let start = Instant::now();
        let mut log = FailureLog::default();
        let at = |secs| start + Duration::from_secs(secs);
        let lines = (0..1_734).filter(|_| log.has_room(at(1))).count();
        assert_eq!((lines, log.omitted), (500, 1_234));
        assert!(!log.has_room(at(10)));
        // The window began with the first job, so it ends ten seconds later.
        assert!(log.has_room(at(11)));
        assert_eq!((log.lines, log.omitted), (1, 0));
        log.end_old_window(at(20));
        assert_eq!(log.lines, 1);
        log.end_old_window(at(21));
        assert!(log.started_at.is_none());
    }

    #[test]
    fn the_sum_is_due_once_at_the_end_of_the_window() {
        let failed = |count: usize| {
            let attempt = FailedAttempt { kind: "echo".into(), attempt: 1, code: "x".into() };
            let job = FailedJob { job: JobId(1), queue: QueueName::default(), attempt };
            vec![job; count]
        };
        let start = Instant::now();
        let mut log = FailureLog::default();
        assert_eq!(log.log(&failed(300), start), None);
        let later = start + Duration::from_secs(4);
        assert_eq!(log.log(&failed(300), later), Some(Duration::from_secs(6)));
        assert_eq!(log.log(&failed(300), later), None);
        assert_eq!(log.omitted, 400);
        log.end_window();
        assert_eq!(log.log(&failed(501), later), Some(WINDOW));
    }
}
