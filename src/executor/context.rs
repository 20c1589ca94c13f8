//! What a running attempt knows of itself, and what its worker can do to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::job::lease::LeasedJob;
use crate::job::outcome::Outcome;
use crate::job::{JobError, JobId, Log, Progress, Span};

/// Why an attempt is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody cancelled the job.
    Cancelled,
    /// The server goes down; the attempt does not count.
    Shutdown,
    /// Its time is over.
    Timeout,
}

impl StopReason {
    /// The outcome of an attempt with this `timeout` that ended for this reason.
    pub fn outcome(self, timeout: Duration) -> Outcome {
        match self {
            Self::Cancelled => Outcome::Cancelled,
            Self::Shutdown => Outcome::Released,
            Self::Timeout => Outcome::Failed {
                error: JobError::timed_out(Span::new(timeout)),
                retryable: true,
                retry_in: None,
            },
        }
    }
}

/// What can happen to a running attempt: its clock starts, it is told to stop.
#[derive(Debug, Default, Clone, Copy)]
struct Signal {
    deadline: Option<Instant>,
    stop: Option<StopReason>,
}

impl Signal {
    fn stopped_at(self, now: Instant) -> Option<StopReason> {
        let is_late = self.deadline.is_some_and(|deadline| deadline <= now);
        self.stop.or(is_late.then_some(StopReason::Timeout))
    }
}

#[derive(Debug)]
struct Shared {
    job: JobId,
    attempt: u32,
    max_attempts: u32,
    timeout: Duration,
    max_result_bytes: usize,
    signal: watch::Sender<Signal>,
    reports: watch::Sender<PendingReports>,
}

/// What an attempt has told of itself and its worker has not taken yet.
#[derive(Debug, Default)]
struct PendingReports {
    progress: Option<Progress>,
    log: Log,
    /// Whether it has said anything before.
    has_logged: bool,
}

/// What a running attempt knows of itself. Clones are the same attempt.
#[derive(Debug, Clone)]
pub struct Context(Arc<Shared>);

/// What the worker of an attempt can do to it and learn of it. Clones are the same attempt.
#[derive(Debug, Clone)]
pub struct Control(Arc<Shared>);

impl Context {
    /// The context of an attempt, and the control over it. Its clock stands until it runs.
    pub fn new(job: &LeasedJob, max_result_bytes: usize) -> (Self, Control) {
        let shared = Arc::new(Shared {
            job: job.lease.job,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            timeout: job.timeout.duration(),
            max_result_bytes,
            signal: watch::Sender::new(Signal::default()),
            reports: watch::Sender::new(PendingReports::default()),
        });
        (Self(Arc::clone(&shared)), Control(shared))
    }

    /// The job.
    pub fn job(&self) -> JobId {
        self.0.job
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// How many there may be.
    pub fn max_attempts(&self) -> u32 {
        self.0.max_attempts
    }

    /// How long the attempt may take.
    pub fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// The largest result, in bytes; a larger one is cut.
    pub fn max_result_bytes(&self) -> usize {
        self.0.max_result_bytes
    }

    /// When the attempt's time is over; a full timeout from now while its clock has not started.
    pub fn deadline(&self) -> Instant {
        let deadline = self.0.signal.borrow().deadline;
        deadline.unwrap_or_else(|| Instant::now() + self.0.timeout)
    }

    /// Starts the clock, if it stands: from now on the attempt may take `timeout`.
    pub(crate) fn start_clock(&self, timeout: Duration) {
        self.0.signal.send_if_modified(|signal| {
            let stood = signal.deadline.is_none();
            signal.deadline.get_or_insert_with(|| Instant::now() + timeout);
            stood
        });
    }

    /// Why the attempt is to stop, if it is: cancelled, shutting down or past its deadline.
    pub fn stop_reason(&self) -> Option<StopReason> {
        let signal = *self.0.signal.borrow();
        signal.stopped_at(Instant::now())
    }

    /// Whether the attempt is to stop. A blocking handler asks this now and then.
    pub fn is_stopped(&self) -> bool {
        self.stop_reason().is_some()
    }

    /// Waits until the attempt is to stop.
    pub async fn stopped(&self) -> StopReason {
        let mut signals = self.0.signal.subscribe();
        loop {
            let signal = *signals.borrow_and_update();
            if let Some(reason) = signal.stopped_at(Instant::now()) {
                return reason;
            }
            tokio::select! {
                // The sender lives as long as this context, so this never fails.
                _ = signals.changed() => {}
                () = sleep_until(signal.deadline) => {}
            }
        }
    }

    /// Tells how far the attempt is, from 0 to 100. Never blocks; only the latest is kept, and a long
    /// message is cut.
    pub fn progress(&self, percent: f64, message: impl Into<String>) {
        let percent = if percent.is_nan() { 0.0 } else { percent.clamp(0.0, 100.0) };
        let progress = Some(Progress::new(percent, message));
        self.0.reports.send_modify(|reports| reports.progress = progress);
    }

    /// Adds lines to the job's log, of which the last 64 KiB are kept and shown. Never blocks.
    ///
    /// Not a place for secrets: whoever may see the job may read it.
    pub fn log(&self, text: impl AsRef<str>) {
        let text = text.as_ref();
        self.0.reports.send_modify(|reports| {
            if !std::mem::replace(&mut reports.has_logged, true) && self.0.attempt > 1 {
                reports.log.append(&format!("--- attempt {} ---\n", self.0.attempt));
            }
            reports.log.push_lines(if text.is_empty() { "\n" } else { text });
        });
    }
}

impl Control {
    /// Tells the attempt to stop. The first reason stays.
    pub fn stop(&self, reason: StopReason) {
        self.0.signal.send_if_modified(|signal| {
            let is_first = signal.stop.is_none();
            signal.stop.get_or_insert(reason);
            is_first
        });
    }

    /// Waits until the attempt has told something that was not taken yet.
    pub async fn wait_for_reports(&self) {
        let mut reports = self.0.reports.subscribe();
        // The sender lives as long as this control, so this never fails.
        let is_news =
            |reports: &PendingReports| reports.progress.is_some() || !reports.log.is_empty();
        let _ = reports.wait_for(is_news).await;
    }

    /// Takes what the attempt has told: how far it is, and what it said.
    pub fn take_reports(&self) -> (Option<Progress>, Log) {
        let mut told = (None, Log::default());
        self.0.reports.send_if_modified(|reports| {
            told = (reports.progress.take(), std::mem::take(&mut reports.log));
            false
        });
        told
    }

    /// When the attempt's time is over; none while its clock has not started.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.signal.borrow().deadline
    }
}

/// Sleeps until `deadline`, for ever where there is none.
pub(super) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
