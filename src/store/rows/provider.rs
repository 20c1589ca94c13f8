//! Rows of providers and of recent starts.

use diesel::prelude::*;
use serde::de::DeserializeOwned;

use crate::job::limit::provider::{ProviderName, ProviderState};
use crate::job::limit::starts::Starts;
use crate::store::error::StoreError;
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
    pause: Option<String>,
}

impl ProviderRow {
    /// Returns the name of the provider.
    pub(crate) fn name(&self) -> Result<ProviderName, StoreError> {
        let invalid = |_| corrupt(format_args!("provider {}", self.id), "has an invalid name");
        self.name.parse().map_err(invalid)
    }

    /// Returns the state of the provider.
    pub(crate) fn state(&self) -> Result<ProviderState, StoreError> {
        let Self { id, running, queued, starts, trial, pause, .. } = self;
        let row = format_args!("provider {id}").to_string();
        Ok(ProviderState {
            running: count_of(*running),
            queued: count_of(*queued),
            starts: starts_of(&row, starts.as_deref())?,
            trial: trial.map(count_of),
            pause: pause.as_deref().map(|text| json_of(&row, "pause", text)).transpose()?,
        })
    }
}

/// Reads the recent starts of a queue or provider.
pub(crate) fn starts_of(row: &str, text: Option<&str>) -> Result<Starts, StoreError> {
    text.map_or_else(|| Ok(Starts::default()), |text| json_of(row, "starts", text))
}

/// Returns the stored form of recent starts.
pub(crate) fn starts_text(starts: &Starts) -> Option<String> {
    (*starts != Starts::default()).then(|| serde_json::to_string(starts).unwrap_or_default())
}

fn json_of<T: DeserializeOwned>(row: &str, column: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt(row, format_args!("has an invalid {column}: {error}")))
}
