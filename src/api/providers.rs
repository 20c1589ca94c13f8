//! Providers in the form that the API returns.

use serde::{Deserialize, Serialize};

use crate::job::limit::provider::{ProviderLimits, ProviderName, ProviderState};
use crate::job::{JobError, Timestamp};

/// A list of providers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Providers {
    /// The providers, ordered by name.
    pub providers: Vec<Provider>,
}

/// Whether the calls of a provider are held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderHealth {
    /// Only its configured limits apply.
    Ok,
    /// It asked for a pause, which is not over.
    Paused,
    /// The number of its calls at once grows back after a pause.
    Recovering,
    /// The number of its calls at once grows for the first time, or after a pause that is over.
    Starting,
}

/// A provider with its limits and its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provider {
    /// Name of the provider.
    pub name: ProviderName,
    /// Whether the configuration has it. The jobs of a provider that it lacks fail.
    pub is_configured: bool,
    /// Maximum number of calls at once; `null` for no limit.
    pub max_running: Option<u32>,
    /// Maximum number of calls that start in any minute; `null` for no limit.
    pub requests_per_minute: Option<u32>,
    /// Number of its jobs that run.
    pub running: u32,
    /// Number of its jobs that are queued.
    pub queued: u32,
    /// Whether its calls are held back.
    pub state: ProviderHealth,
    /// Maximum number of calls at once until it has recovered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_running_now: Option<u32>,
    /// Time at which the pause ends and one call is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Timestamp>,
    /// Time of the first refused call since it worked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_since: Option<Timestamp>,
    /// Number of refused calls since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<u32>,
    /// The latest refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<JobError>,
}

impl Provider {
    /// Creates the form of a provider at `now`. Its limits are `None` if it is not configured.
    pub fn new(
        name: ProviderName,
        limits: Option<ProviderLimits>,
        state: &ProviderState,
        now: Timestamp,
    ) -> Self {
        let (trial, paused_until) = (state.trial_at(now), state.paused_until(now));
        let pause = state.recovery();
        // A trial above the configured limit limits nothing.
        let max_running = limits.and_then(|limits| limits.max_running);
        let trial = trial.filter(|trial| max_running.is_none_or(|max| *trial < max));
        let health = if paused_until.is_some() {
            ProviderHealth::Paused
        } else if pause.is_some() {
            ProviderHealth::Recovering
        } else if trial.is_some() {
            ProviderHealth::Starting
        } else {
            ProviderHealth::Ok
        };
        Self {
            name,
            is_configured: limits.is_some(),
            max_running,
            requests_per_minute: limits.and_then(|limits| limits.requests_per_minute),
            running: state.running,
            queued: state.queued,
            state: health,
            max_running_now: trial.filter(|_| paused_until.is_none()),
            paused_until,
            refused_since: pause.map(|pause| pause.since),
            refused: pause.map(|pause| pause.refused),
            error: pause.map(|pause| pause.error.clone()),
        }
    }
}
