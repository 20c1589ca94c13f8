//! Providers: their rooms for further calls, and what the calls of a group say about them.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::submission::on_end::callback;
use crate::job::{JobId, ProviderName, Span, State, Timestamp};
use crate::job::limit::Room;
use crate::job::limit::provider::{FIRST_TRIAL, ProviderLimits, ProviderState};
use crate::store::group::impossible::ImpossibleRows;
use crate::store::group::names::ProviderIds;
use crate::store::provider::ProviderStatus;
use crate::store::rows::provider::{ProviderRow, starts_text};
use crate::store::rows::values::count_of;
use crate::store::schema::providers;
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::{self, TransactionError};
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::StoreError;

statement! {
    AddProvider<'a> =
    "INSERT INTO providers (name, trial) VALUES (" [name: Text as &'a str]
    ", " [trial: Integer as i64] ") ON CONFLICT DO NOTHING"
}

statement! {
    /// Returns whether jobs of older versions name no provider. The other statements about them scan the
    /// table of jobs.
    HasUnnamed -> Integer = "SELECT EXISTS (SELECT 1 FROM providers WHERE name = '')"
}

statement! {
    /// Gives these jobs the only configured provider; without one that is named, none.
    NameUnnamed<'a> =
    "UPDATE jobs SET provider_id = (SELECT id FROM providers WHERE name = " [name: Nullable<Text> as Option<&'a str>]
    ") WHERE provider_id = (SELECT id FROM providers WHERE name = '')"
}

statement! {
    /// Moves the counts of those jobs.
    CountNamed<'a> =
    "UPDATE providers SET running = running + (SELECT running FROM providers WHERE name = ''),
         queued = queued + (SELECT queued FROM providers WHERE name = '')
     WHERE name = " [name: Nullable<Text> as Option<&'a str>] ""
}

statement! {
    RemoveUnnamed = "DELETE FROM providers WHERE name = ''"
}

statement! {
    /// Gives a job that an older version ended the provider that its payload names, or else the only
    /// configured one.
    AdoptProvider<'a> =
    "UPDATE jobs SET provider_id = (SELECT id FROM providers WHERE name = coalesce(
         CASE WHEN json_valid(payload) THEN json_extract(payload, '$.provider') END, " [only: Nullable<Text> as Option<&'a str>]
    ")) WHERE id = " [job: Integer as i64] " AND provider_id IS NULL AND lane = " {Async} " AND kind = 'chat'"
}

statement! {
    UpdateProvider =
    "UPDATE providers
     SET running = " [running: Integer as i64]
    ", queued = " [queued: Integer as i64]
    ", starts = " [starts: Nullable<Text> as Option<String>]
    ", trial = " [trial: Nullable<Integer> as Option<i64>]
    ", trial_since = " [trial_since: Nullable<Integer> as Option<i64>]
    ", pause = " [pause: Nullable<Text> as Option<String>]
    " WHERE id = " [id: Integer as i64]
}

statement! {
    UpdateStarts =
    "UPDATE providers SET starts = " [starts: Nullable<Text> as Option<String>]
    " WHERE id = " [id: Integer as i64]
}

/// Adds the configured providers and the groups of receivers of webhooks to the table, and gives the jobs of older versions that name no provider
/// the only one. If there are several, or none, these jobs fail when they run.
pub(crate) fn add_configured(
    connection: &mut SqliteConnection,
    configured: &BTreeMap<ProviderName, ProviderLimits>,
) -> Result<(), TransactionError> {
    transaction::immediate(connection, |connection| {
        // The groups of receivers last, so that they get the largest ids of a new database.
        let groups: Vec<_> = callback::groups().collect();
        for name in configured.keys().chain(&groups) {
            AddProvider { name: name.as_str(), trial: FIRST_TRIAL.into() }.execute(connection)?;
        }
        let has_unnamed: i64 = HasUnnamed {}.get_result(connection)?;
        if has_unnamed == 0 {
            return Ok(());
        }
        let name = only(configured);
        CountNamed { name }.execute(connection)?;
        NameUnnamed { name }.execute(connection)?;
        RemoveUnnamed {}.execute(connection)?;
        Ok(())
    })
}

fn limits_of(
    configured: &BTreeMap<ProviderName, ProviderLimits>,
    name: &ProviderName,
) -> ProviderLimits {
    configured.get(name).copied().unwrap_or(ProviderLimits::NOT_CONFIGURED)
}

/// Returns the name of the only configured provider; `None` if there are several.
fn only(configured: &BTreeMap<ProviderName, ProviderLimits>) -> Option<&str> {
    configured.keys().next().filter(|_| configured.len() == 1).map(ProviderName::as_str)
}

/// Returns all providers with their state, without the groups of receivers of webhooks, which clients do not
/// see and whose rooms the roster learns from the first lease.
pub(crate) fn read_visible(
    connection: &mut SqliteConnection,
    impossible: &mut ImpossibleRows,
) -> Result<Vec<(i64, ProviderName, ProviderState)>, StoreError> {
    let mut all = read_all(connection, impossible)?;
    all.retain(|(_, name, _)| !callback::is_group(name));
    Ok(all)
}

/// Returns all providers with their state. Those with an invalid name are skipped.
pub(crate) fn read_all(
    connection: &mut SqliteConnection,
    impossible: &mut ImpossibleRows,
) -> Result<Vec<(i64, ProviderName, ProviderState)>, StoreError> {
    let rows: Vec<ProviderRow> = providers::table
        .filter(providers::name.ne(""))
        .order(providers::name)
        .select(ProviderRow::as_select())
        .load(connection)
        .map_err(TransactionError::from)?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(name) = impossible.skip(row.name())? {
            found.push((row.id, name, row.state(impossible)));
        }
    }
    Ok(found)
}

/// Reads the ids and names of all providers.
pub(crate) fn read_ids(
    connection: &mut SqliteConnection,
    impossible: &mut ImpossibleRows,
) -> Result<ProviderIds, StoreError> {
    let mut ids = ProviderIds::default();
    for (id, name, _) in read_all(connection, impossible)? {
        ids.insert(name, id);
    }
    Ok(ids)
}

impl CommitGroup<'_> {
    /// Returns the limits of a provider.
    fn provider_limits(&self, name: &ProviderName) -> ProviderLimits {
        if callback::is_group(name) {
            return self.callback_group;
        }
        limits_of(self.providers, name)
    }

    fn find_provider(
        &mut self,
        name: &ProviderName,
    ) -> Result<Option<(i64, ProviderState)>, TransactionError> {
        let Some(id) = self.provider_ids.id(name) else { return Ok(None) };
        let row: ProviderRow = providers::table
            .find(id)
            .select(ProviderRow::as_select())
            .get_result(self.connection)?;
        Ok(Some((id, row.state(self.impossible))))
    }

    /// Lets a job of the kind chat that an older version ended count for its provider, because it is about
    /// to run again.
    pub(in crate::store::sqlite::write) fn adopt_provider(
        &mut self,
        job: JobId,
    ) -> Result<(), TransactionError> {
        AdoptProvider { only: only(self.providers), job: job.0 }.execute(self.connection)?;
        Ok(())
    }

    /// Returns how many more calls of a provider may start in this group, and whether it recovers from a
    /// pause.
    pub(crate) fn provider_room(
        &mut self,
        name: &ProviderName,
    ) -> Result<(Room, bool), TransactionError> {
        let limits = self.provider_limits(name);
        let Some(state) = self.refused_provider(name)? else {
            return Ok((Room::UNLIMITED, false));
        };
        Ok((state.room(limits, self.now), state.recovery().is_some()))
    }

    /// Returns how long a provider still pauses, if it does.
    pub(super) fn provider_pause(
        &mut self,
        name: &ProviderName,
    ) -> Result<Option<Span>, TransactionError> {
        let state = self.refused_provider(name)?;
        let pause = state.as_ref().and_then(|state| state.recovery());
        Ok(pause.map(|pause| Span::new(pause.until.since(self.now))))
    }

    /// Returns a provider with the pauses that were asked for in this group, which are stored at its end.
    fn refused_provider(
        &mut self,
        name: &ProviderName,
    ) -> Result<Option<ProviderState>, TransactionError> {
        let Some((_, mut state)) = self.find_provider(name)? else { return Ok(None) };
        state.running = self.changes.running_of_provider(name, state.running);
        for (retry_in, error) in self.changes.refused_by(name) {
            state.refuse(retry_in, error, self.now);
        }
        Ok(Some(state))
    }

    /// Records that calls of a provider start.
    pub(crate) fn add_provider_starts(
        &mut self,
        name: &ProviderName,
        count: u32,
    ) -> Result<(), TransactionError> {
        let limits = self.provider_limits(name);
        let (Some(rate), true) = (limits.rate(), count > 0) else { return Ok(()) };
        let Some((id, mut state)) = self.find_provider(name)? else { return Ok(()) };
        state.starts.add(count, rate, self.now);
        UpdateStarts { starts: starts_text(&state.starts), id }.execute(self.connection)?;
        Ok(())
    }

    /// Updates the providers of the jobs that changed in this group, and returns their status.
    pub(crate) fn update_providers(&mut self) -> Result<Vec<ProviderStatus>, TransactionError> {
        let mut updated = Vec::new();
        for (name, calls) in self.changes.provider_calls() {
            let limits = self.provider_limits(&name);
            let Some((id, mut state)) = self.find_provider(&name)? else { continue };
            let before = state.clone();
            // The jobs that waited for it may have been cancelled during its pause.
            let mut event = state.forget_pause(self.now);
            state.running = self.count_after(&name, State::Running, state.running, calls.running);
            state.queued = self.count_after(&name, State::Queued, state.queued, calls.queued);
            state.end(calls.ended);
            if calls.answered > 0 {
                event = state.succeed(calls.answered, limits, self.now).or(event);
            }
            for (retry_in, error) in &calls.refused {
                event = state.refuse(*retry_in, error, self.now).or(event);
            }
            event = state.forget_pause(self.now).or(event);
            state.grow_trial(limits, self.now);
            if state != before {
                self.store_provider(id, &state)?;
            }
            let room = state.room(limits, self.now);
            updated.push(ProviderStatus { name, room, event, pause: state.pause });
        }
        Ok(updated)
    }

    /// Returns a count after a change. A count that was wrong before stays at 0, and is logged.
    fn count_after(&mut self, name: &ProviderName, state: State, before: u32, delta: i64) -> u32 {
        let count = i64::from(before) + delta;
        if count < 0 {
            self.impossible.note(&format!("the {state} jobs of provider {name} are too few"));
        }
        count_of(count.max(0))
    }

    fn store_provider(&mut self, id: i64, state: &ProviderState) -> Result<(), TransactionError> {
        UpdateProvider {
            running: state.running.into(),
            queued: state.queued.into(),
            starts: starts_text(&state.starts),
            trial: state.trial.map(i64::from),
            trial_since: state.trial_since.map(Timestamp::millis),
            pause: state.pause.as_ref().and_then(|pause| serde_json::to_string(pause).ok()),
            id,
        }
        .execute(self.connection)?;
        Ok(())
    }

    /// Moves times of providers that are in the future to now.
    pub(crate) fn repair_providers(&mut self) -> Result<(), TransactionError> {
        for (id, name, mut state) in read_all(self.connection, self.impossible)? {
            let before = state.clone();
            state.repair_clock_skew(self.provider_limits(&name), self.now);
            if state != before {
                self.store_provider(id, &state)?;
            }
        }
        Ok(())
    }
}

/// Returns the status of all providers at `now`, for the roster, and logs which of them are missing.
pub(crate) fn read_statuses(
    connection: &mut SqliteConnection,
    impossible: &mut ImpossibleRows,
    configured: &BTreeMap<ProviderName, ProviderLimits>,
    now: Timestamp,
) -> Result<Vec<ProviderStatus>, StoreError> {
    let all = read_visible(connection, impossible)?.into_iter();
    let status = |(_, name, state): (i64, ProviderName, ProviderState)| {
        if state.queued > 0 && !configured.contains_key(&name) {
            tracing::warn!(
                provider = %name, jobs = state.queued,
                "jobs wait for a provider that is not configured any more: configure it again, or cancel them"
            );
        }
        let limits = limits_of(configured, &name);
        let room = state.room(limits, now);
        ProviderStatus { name, room, event: None, pause: state.pause }
    };
    Ok(all.map(status).collect())
}
