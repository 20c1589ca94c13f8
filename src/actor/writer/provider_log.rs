//! One line in the log when a provider pauses, and one when it has recovered.

use crate::job::limit::provider::ProviderEvent;
use crate::store::ProviderStatus;

/// Logs what happened to a provider.
pub(super) fn log(status: &ProviderStatus) {
    let provider = &status.name;
    match (status.event, &status.pause) {
        (Some(ProviderEvent::Paused), Some(pause)) => tracing::warn!(
            state = "paused", %provider, until = %pause.until, error = %pause.error.message,
            "a provider asked for a pause: its jobs wait, and their attempts do not count"
        ),
        (Some(ProviderEvent::Recovered), _) => {
            tracing::info!(state = "answering", %provider, "a provider answers again: its jobs run as before the pause")
        }
        (Some(ProviderEvent::Untried), _) => {
            tracing::info!(state = "untried", %provider, "the pause of a provider is over, and no job waits for it")
        }
        _ => {}
    }
}
