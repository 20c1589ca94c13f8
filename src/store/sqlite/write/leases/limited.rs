//! Leases within limits: the store decides, in the transaction of the lease.
//!
//! The roster plans leases from what it knows, and the store caps each of its orders by what the tables
//! say. So the limits hold over restarts, whatever the roster believes.
//!
//! The jobs of a queue that call a provider are a line of their own in the index of queued jobs, one for each
//! provider. An order names the lines that may start jobs. The first jobs of these lines are merged by
//! priority and id (k-way merge), so a line whose provider is full costs nothing. For example, with an order
//! of 3 jobs in which `fast` may start 1:
//!
//! ```text
//! without a provider: 4 (priority 5), 7 (0)
//! fast:               2 (priority 9), 5 (9)    cut to 2
//! leased:             2, 4, 7
//! ```

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::{ProviderName, Span};
use crate::job::limit::starts::Starts;
use crate::job::queue::QueueSettings;
use crate::roster::LeaseOrder;
use crate::store::group::impossible::ImpossibleRows;
use crate::store::group::lease_memo::PayloadRoom;
use crate::store::rows::provider::{read_starts, starts_text};
use crate::store::rows::queue::SettingsRow;
use crate::store::rows::values::count_of;
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::{Columns, statement};
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::ApplyError;
use crate::store::sqlite::write::leases::candidate::CandidateRow;
use crate::store::{LeaseRequest, Leased};

statement! {
    /// Finds the limits of a queue and what counts against them.
    FindLimits -> (Columns<SettingsRow>, Nullable<Text>, Integer) =
    "SELECT paused, max_running, rate_limit, rate_period_ms, starts,
         (SELECT jobs FROM queue_counts WHERE queue_id = queues.id AND state = " {Running} ")
     FROM queues WHERE id = " [queue_id: Integer as i64]
}

statement! {
    UpdateStarts =
    "UPDATE queues SET starts = " [starts: Nullable<Text> as Option<String>]
    " WHERE id = " [queue_id: Integer as i64]
}

statement! {
    /// Finds the recent starts of the queues with a rate limit.
    FindStarts -> (Integer, Text, Integer) =
    "SELECT id, starts, rate_period_ms FROM queues
     WHERE starts IS NOT NULL AND rate_period_ms IS NOT NULL"
}

/// The limits of a queue, and what counts against them.
pub(in crate::store::sqlite) struct QueueLimits {
    pub(in crate::store::sqlite) settings: QueueSettings,
    pub(in crate::store::sqlite) starts: Starts,
    /// Number of running jobs.
    pub(in crate::store::sqlite) running: u32,
}

/// Reads the limits of a queue.
pub(in crate::store::sqlite) fn find_limits(
    connection: &mut SqliteConnection,
    queue_id: i64,
    impossible: &mut ImpossibleRows,
) -> Result<QueueLimits, TransactionError> {
    let find = FindLimits { queue_id };
    let (settings, starts, running): (SettingsRow, Option<String>, i64) =
        find.get_result(connection)?;
    let starts = read_starts(&format!("queue {queue_id}"), starts.as_deref(), impossible);
    Ok(QueueLimits { settings: settings.into(), starts, running: count_of(running) })
}

/// The first jobs of a line that an order may start.
struct Line {
    /// `None` for the jobs without a provider.
    provider: Option<ProviderName>,
    jobs: Vec<CandidateRow>,
    /// Whether no other job is in the line.
    is_complete: bool,
    /// Number of the jobs that are leased.
    taken: usize,
}

impl CommitGroup<'_> {
    /// Leases jobs of a queue with limits.
    pub(super) fn lease_limited(
        &mut self,
        request: &LeaseRequest,
        queue_id: i64,
    ) -> Result<Leased, ApplyError> {
        let QueueLimits { settings, mut starts, running } =
            find_limits(self.connection, queue_id, self.impossible)?;
        if !settings.is_limited() {
            // The limits were removed since the queue was noted.
            return self.lease_unlimited(request, queue_id);
        }
        let running = self.changes.running_of_queue(&request.order.queue, running);
        let room = settings.room(running, &starts, self.now);
        if room.jobs == 0 {
            return Ok(Leased { held: room.held, ..Leased::none(false) });
        }
        let limit = request.order.limit.min(room.jobs);
        let capped;
        let request = if limit < request.order.limit {
            let order = LeaseOrder { limit, ..request.order.clone() };
            capped = LeaseRequest { order, ..request.clone() };
            &capped
        } else {
            request
        };
        let mut leased = self.lease_unlimited(request, queue_id)?;
        let started = u32::try_from(leased.jobs.len()).unwrap_or(u32::MAX);
        if let (Some(rate), true) = (settings.rate, started > 0) {
            starts.add(started, rate, self.now);
            UpdateStarts { starts: starts_text(&starts), queue_id }.execute(self.connection)?;
        }
        if started >= room.jobs {
            leased.held = settings.room(running + started, &starts, self.now).held;
        }
        Ok(leased)
    }

    /// Moves starts in the future to now, after the clock was set back.
    pub(super) fn repair_queue_starts(&mut self) -> Result<(), ApplyError> {
        let rows: Vec<(i64, String, i64)> = FindStarts {}.load(self.connection)?;
        for (queue_id, text, period_ms) in rows {
            let mut starts = read_starts(&format!("queue {queue_id}"), Some(&text), self.impossible);
            let before = starts.clone();
            starts.repair_clock_skew(Span::from_millis(period_ms), self.now);
            if starts != before {
                UpdateStarts { starts: starts_text(&starts), queue_id }.execute(self.connection)?;
            }
        }
        Ok(())
    }

    /// Leases the first jobs of the lines that an order names.
    pub(super) fn lease_lines(
        &mut self,
        order: &LeaseOrder,
        queue_id: i64,
        lease_expires_at: i64,
        room: PayloadRoom,
    ) -> Result<Leased, ApplyError> {
        let mut lines = self.find_lines(order, queue_id)?;
        let (chosen, is_large_next) = merge(&mut lines, order.limit as usize, room);
        let rows = self.lease_by_id(&chosen, lease_expires_at)?;
        for line in &lines {
            if let Some(provider) = &line.provider {
                self.add_provider_starts(provider, u32::try_from(line.taken).unwrap_or(u32::MAX))?;
            }
        }
        let is_empty = |line: &Line| line.is_complete && line.taken == line.jobs.len();
        let providers = lines.iter().filter(|line| is_empty(line));
        Ok(Leased {
            jobs: self.leased_jobs(order, rows),
            is_empty: lines.iter().all(|line| line.provider.is_some() || is_empty(line)),
            held: None,
            is_large_next,
            empty_providers: providers.filter_map(|line| line.provider.clone()).collect(),
        })
    }

    fn find_lines(&mut self, order: &LeaseOrder, queue_id: i64) -> Result<Vec<Line>, ApplyError> {
        let mut lines = Vec::with_capacity(order.providers.len() + 1);
        if order.without_provider {
            let (jobs, is_complete) = self.first_jobs(order, queue_id, None, order.limit)?;
            lines.push(Line { provider: None, jobs, is_complete, taken: 0 });
        }
        for share in &order.providers {
            let (room, is_recovering) = self.provider_room(&share.provider)?;
            if room.jobs < share.limit {
                self.changes.push_full_provider(share.provider.clone());
            }
            let limit = order.limit.min(share.limit).min(room.jobs);
            if limit == 0 {
                continue;
            }
            let (jobs, is_complete) = match self.provider_ids.id(&share.provider) {
                Some(id) if is_recovering => {
                    self.least_deferred_jobs(order, queue_id, id, limit)?
                }
                Some(id) => self.first_jobs(order, queue_id, Some(id), limit)?,
                // No job can have a provider without a row.
                None => (Vec::new(), true),
            };
            lines.push(Line { provider: Some(share.provider.clone()), jobs, is_complete, taken: 0 });
        }
        Ok(lines)
    }
}

/// Chooses up to `limit` of the first jobs of all lines, until their payloads fill `room`, and counts in each
/// line how many of its jobs were chosen. Returns also whether the next job waits because its payload is large.
fn merge(lines: &mut [Line], limit: usize, room: PayloadRoom) -> (Vec<CandidateRow>, bool) {
    let mut all: Vec<(CandidateRow, usize)> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        all.extend(line.jobs.iter().map(|job| (*job, index)));
    }
    all.sort_unstable_by_key(|(job, _)| job.position());
    all.truncate(limit);
    let (count, is_large_next) = room.fitting(all.iter().map(|(job, _)| job.payload_bytes));
    all.truncate(count);
    for (_, index) in &all {
        lines[*index].taken += 1;
    }
    (all.into_iter().map(|(job, _)| job).collect(), is_large_next)
}
