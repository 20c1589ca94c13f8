//! Rows of providers and of recent starts.

use diesel::prelude::*;
use serde::de::DeserializeOwned;

use crate::job::limit::provider::{ProviderName, ProviderState};
use crate::job::limit::starts::Starts;
use crate::job::Timestamp;
use crate::store::error::StoreError;
use crate::store::group::impossible::ImpossibleRows;
use crate::store::rows::values::{corrupt, count_of};
use crate::store::schema::providers;

/// A provider with its state.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = providers)]
pub(crate) struct ProviderRow {
    pub(crate) id: i64,
    name: String,
    running: i64,
    queued: i64,
    starts: Option<String>,
    trial: Option<i64>,
    trial_since: Option<i64>,
    pause: Option<String>,
}

impl ProviderRow {
    /// Returns the name of the provider.
    pub(crate) fn name(&self) -> Result<ProviderName, StoreError> {
        let invalid = |_| corrupt(format_args!("provider {}", self.id), "has an invalid name");
        self.name.parse().map_err(invalid)
    }

    /// Returns the state of the provider. Recent starts and a pause that cannot be read are noted and
    /// forgotten, so that they hold back no job.
    pub(crate) fn state(&self, impossible: &mut ImpossibleRows) -> ProviderState {
        let Self { id, running, queued, starts, trial, trial_since, pause, .. } = self;
        let row = format_args!("provider {id}").to_string();
        ProviderState {
            running: count_of(*running),
            queued: count_of(*queued),
            starts: read_starts(&row, starts.as_deref(), impossible),
            // Without any call it would never recover.
            trial: trial.map(|trial| count_of(trial).max(1)),
            trial_since: trial_since.map(Timestamp::from_millis),
            pause: read_json(&row, "pause", pause.as_deref(), impossible),
        }
    }
}

/// Reads the recent starts of a queue or provider. Those that cannot be read are noted and forgotten.
pub(crate) fn read_starts(row: &str, text: Option<&str>, impossible: &mut ImpossibleRows) -> Starts {
    read_json(row, "starts", text, impossible).unwrap_or_default()
}

/// Returns the stored form of recent starts.
pub(crate) fn starts_text(starts: &Starts) -> Option<String> {
    (*starts != Starts::default()).then(|| serde_json::to_string(starts).unwrap_or_default())
}

fn read_json<T: DeserializeOwned>(
    row: &str,
    column: &str,
    text: Option<&str>,
    impossible: &mut ImpossibleRows,
) -> Option<T> {
    match serde_json::from_str(text?) {
        Ok(value) => Some(value),
        Err(error) => {
            impossible.note(&format!("{row} has an invalid {column}: {error}"));
            None
        }
    }
}
