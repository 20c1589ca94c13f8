//! The two ends of a running attempt: the [`Context`] that the executor uses and the [`Control`]
//! that its worker uses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::executor::app_state::AppState;
use crate::executor::handler::HandlerError;
use crate::job::lease::LeasedJob;
use crate::job::outcome::Outcome;
use crate::job::{JobError, JobId, Log, Progress, ProviderName, Span};

/// Reason why an attempt must stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// A client cancelled the job.
    Cancelled,
    /// The server is shutting down; the attempt does not count.
    Shutdown,
    /// The attempt reached its deadline.
    Timeout,
}

impl StopReason {
    /// Returns the outcome of an attempt with this `timeout` that was stopped for this reason.
    pub fn outcome(self, timeout: Duration) -> Outcome {
        match self {
            Self::Cancelled => Outcome::Cancelled(None),
            Self::Shutdown => Outcome::Released,
            Self::Timeout => Outcome::Failed {
                error: JobError::timed_out(Span::new(timeout)),
                retryable: true,
                retry_in: None,
                detail: None,
            },
        }
    }
}

/// Deadline and stop request of a running attempt. Both are unset at first and are set at most once.
#[derive(Debug, Default, Clone, Copy)]
struct Signal {
    deadline: Option<Instant>,
    stop: Option<StopReason>,
}

impl Signal {
    /// Returns why the attempt must stop at `now`, if it must. A stop request takes
    /// precedence over the deadline.
    fn stop_reason_at(self, now: Instant) -> Option<StopReason> {
        let is_late = self.deadline.is_some_and(|deadline| deadline <= now);
        self.stop.or(is_late.then_some(StopReason::Timeout))
    }
}

/// State that the context and the control of one attempt share.
#[derive(Debug)]
struct Shared {
    job: JobId,
    attempt: u32,
    max_attempts: u32,
    timeout: Duration,
    max_result_bytes: usize,
    app_state: AppState,
    provider: Option<ProviderName>,
    signal: watch::Sender<Signal>,
    reports: watch::Sender<PendingReports>,
}

/// Progress and log lines that the worker has not taken yet.
#[derive(Debug, Default)]
struct PendingReports {
    progress: Option<Progress>,
    /// Percentage of the last report that had one; 0 before.
    last_percent: f64,
    log: Log,
    /// Whether the attempt has logged anything so far.
    has_logged: bool,
}

/// The attempt as seen by the code that runs it, which can read its properties, see stop requests
/// and report progress and log lines. A clone refers to the same attempt.
#[derive(Debug, Clone)]
pub struct Context(Arc<Shared>);

/// The attempt as seen by its worker, which can stop it and take its reports. A clone refers to the
/// same attempt.
#[derive(Debug, Clone)]
pub struct Control(Arc<Shared>);

impl Context {
    /// Returns the context of an attempt and its control. The clock of the attempt is not
    /// running yet.
    pub fn new(job: &LeasedJob, max_result_bytes: usize, app_state: AppState) -> (Self, Control) {
        let shared = Arc::new(Shared {
            job: job.lease.job,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            timeout: job.timeout.duration(),
            max_result_bytes,
            app_state,
            provider: job.provider.clone(),
            signal: watch::Sender::new(Signal::default()),
            reports: watch::Sender::new(PendingReports::default()),
        });
        (Self(Arc::clone(&shared)), Control(shared))
    }

    /// Returns the id of the job.
    pub fn job(&self) -> JobId {
        self.0.job
    }

    /// Returns the provider for which the job was submitted, if any.
    pub(crate) fn provider(&self) -> Option<&ProviderName> {
        self.0.provider.as_ref()
    }

    /// Returns the number of this attempt, counted from 1.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// Returns the maximum number of attempts of the job.
    pub fn max_attempts(&self) -> u32 {
        self.0.max_attempts
    }

    /// Returns the maximum duration of the attempt.
    pub fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// Returns the maximum size of a result, in bytes. A larger result is truncated.
    pub fn max_result_bytes(&self) -> usize {
        self.0.max_result_bytes
    }

    /// Returns the value of type `T` that the application passed to
    /// [`Builder::state`](crate::server::Builder::state).
    ///
    /// ```
    /// use longshore::executor::{Context, HandlerError};
    ///
    /// struct Greeting(&'static str);
    ///
    /// async fn greet(context: Context, name: String) -> Result<String, HandlerError> {
    ///     let greeting = context.state::<Greeting>()?;
    ///     Ok(format!("{} {name}", greeting.0))
    /// }
    /// ```
    ///
    /// # Errors
    /// Returns an error with the code `missing_state` that names the type if the application did not
    /// provide such a value. The attempt that returns it is retried.
    pub fn state<T: Send + Sync + 'static>(&self) -> Result<Arc<T>, HandlerError> {
        self.0.app_state.get().ok_or_else(|| {
            let name = std::any::type_name::<T>();
            let message = format!(
                "the handler needs a value of type {name}, which the application did not provide; \
                 pass it to Builder::state"
            );
            HandlerError::retryable(message).code("missing_state")
        })
    }

    /// Returns the deadline of the attempt. While its clock has not started, this is a full timeout
    /// from now.
    pub fn deadline(&self) -> Instant {
        let deadline = self.0.signal.borrow().deadline;
        deadline.unwrap_or_else(|| Instant::now() + self.0.timeout)
    }

    /// Starts the clock of the attempt, so that its deadline is `timeout` from now. Does nothing if
    /// the clock is running.
    pub(crate) fn start_clock(&self, timeout: Duration) {
        self.0.signal.send_if_modified(|signal| {
            let is_first = signal.deadline.is_none();
            signal.deadline.get_or_insert_with(|| Instant::now() + timeout);
            is_first
        });
    }

    /// Returns why the attempt must stop: cancelled, shutting down or past its deadline. Returns
    /// `None` if it may continue.
    pub fn stop_reason(&self) -> Option<StopReason> {
        let signal = *self.0.signal.borrow();
        signal.stop_reason_at(Instant::now())
    }

    /// Returns whether the attempt must stop. A blocking handler should check this regularly.
    pub fn is_stopped(&self) -> bool {
        self.stop_reason().is_some()
    }

    /// Waits until the attempt must stop.
    pub async fn stopped(&self) -> StopReason {
        let mut signals = self.0.signal.subscribe();
        loop {
            let signal = *signals.borrow_and_update();
            if let Some(reason) = signal.stop_reason_at(Instant::now()) {
                return reason;
            }
            tokio::select! {
                // The sender lives as long as this context, so this never fails.
                _ = signals.changed() => {}
                () = sleep_until(signal.deadline) => {}
            }
        }
    }

    /// Reports the progress of the attempt: a percentage from 0 to 100 and a message. Never blocks.
    /// Only the latest report is kept, and a long message is truncated. A percentage out of range
    /// becomes the nearer of 0 and 100, and NaN that of the last report.
    pub fn progress(&self, percent: f64, message: impl Into<String>) {
        let message = message.into();
        self.0.reports.send_modify(|reports| {
            if !percent.is_nan() {
                reports.last_percent = percent.clamp(0.0, 100.0);
            }
            reports.progress = Some(Progress::new(reports.last_percent, message));
        });
    }

    /// Appends lines to the job's log, of which the last 64 KiB are kept. Never blocks.
    ///
    /// Do not log secrets: every client that may read the job may read its log.
    pub fn log(&self, text: impl AsRef<str>) {
        let text = text.as_ref();
        self.0.reports.send_modify(|reports| {
            if !std::mem::replace(&mut reports.has_logged, true) && self.0.attempt > 1 {
                reports.log.append(&format!("--- attempt {} ---\n", self.0.attempt));
            }
            reports.log.buffer_lines(if text.is_empty() { "\n" } else { text });
        });
    }
}

impl Control {
    /// Requests that the attempt stops. Later requests do not change the first reason.
    pub fn stop(&self, reason: StopReason) {
        self.0.signal.send_if_modified(|signal| {
            let is_first = signal.stop.is_none();
            signal.stop.get_or_insert(reason);
            is_first
        });
    }

    /// Waits until the attempt has progress or log lines that were not taken yet.
    pub async fn wait_for_reports(&self) {
        let mut reports = self.0.reports.subscribe();
        // The sender lives as long as this control, so this never fails.
        let has_any =
            |reports: &PendingReports| reports.progress.is_some() || !reports.log.is_empty();
        let _ = reports.wait_for(has_any).await;
    }

    /// Takes the latest progress and the log lines that the attempt has reported since the last
    /// call.
    pub fn take_reports(&self) -> (Option<Progress>, Log) {
        let mut taken = (None, Log::default());
        self.0.reports.send_if_modified(|reports| {
            taken = (reports.progress.take(), std::mem::take(&mut reports.log));
            false
        });
        taken.1.trim();
        taken
    }

    /// Returns the deadline of the attempt, or `None` while its clock has not started.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.signal.borrow().deadline
    }
}

/// Sleeps until `deadline`, or forever if there is none.
pub(super) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
