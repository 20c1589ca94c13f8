//! Rows of queues, their settings and their counts.

use diesel::prelude::*;

use crate::job::Span;
use crate::job::State;
use crate::job::queue::{QueueName, QueueSettings, Rate};
use crate::store::error::StoreError;
use crate::store::rows::values::{corrupt, count_of, queue_name};
use crate::store::schema::{queue_counts, queues};

/// Columns of [`QueueSettings`].
#[derive(Debug, Clone, Copy, Queryable, Selectable)]
#[diesel(table_name = queues)]
pub(crate) struct SettingsRow {
    pub(crate) paused: i64,
    pub(crate) max_running: Option<i64>,
    pub(crate) rate_limit: Option<i64>,
    pub(crate) rate_period_ms: Option<i64>,
}

impl From<&QueueSettings> for SettingsRow {
    fn from(settings: &QueueSettings) -> Self {
        Self {
            paused: settings.paused.into(),
            max_running: settings.max_running.map(Into::into),
            rate_limit: settings.rate.map(|rate| rate.limit.into()),
            rate_period_ms: settings.rate.map(|rate| rate.period.millis()),
        }
    }
}

impl From<SettingsRow> for QueueSettings {
    fn from(row: SettingsRow) -> Self {
        let rate = row.rate_limit.zip(row.rate_period_ms).map(|(limit, period_ms)| Rate {
            limit: count_of(limit),
            period: Span::from_millis(period_ms),
        });
        Self { paused: row.paused != 0, max_running: row.max_running.map(count_of), rate }
    }
}

/// Id, name and settings of a queue.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = queues)]
pub(crate) struct QueueRow {
    pub(crate) id: i64,
    pub(crate) name: String,
    #[diesel(embed)]
    pub(crate) settings: SettingsRow,
}

/// Id and name of a queue.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = queues)]
pub(crate) struct QueueNameRow {
    pub(crate) id: i64,
    name: String,
}

impl QueueNameRow {
    pub(crate) fn parse(&self) -> Result<QueueName, StoreError> {
        queue_name(self.id, &self.name)
    }
}

/// Number of jobs of a queue in one state, and of those that ever entered it.
#[derive(Debug, Clone, Copy, Queryable, Selectable)]
#[diesel(table_name = queue_counts)]
pub(crate) struct CountRow {
    pub(crate) queue_id: i64,
    state: i64,
    pub(crate) jobs: i64,
    pub(crate) entered: i64,
}

impl CountRow {
    pub(crate) fn state(&self) -> Result<State, StoreError> {
        State::from_code(self.state).ok_or_else(|| {
            let fault = format!("has a count for the invalid state {}", self.state);
            corrupt(format_args!("queue {}", self.queue_id), fault)
        })
    }
}
