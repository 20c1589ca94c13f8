//! The actions that the user requests with keys.

use crate::job::{JobId, QueueName};

/// An action that the user requested and that the view cannot perform itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum UserAction {
    /// Quits the program.
    Quit,
    /// Pauses a queue if the flag is true, otherwise resumes it.
    SetPaused(QueueName, bool),
    /// Cancels a job.
    Cancel(JobId),
    /// Runs a job again.
    Retry(JobId),
}
