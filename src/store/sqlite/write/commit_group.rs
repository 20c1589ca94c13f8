//! The commit group: the writes of one transaction, and the state that they share.
//!
//! Writes that arrive while a transaction runs are committed together in the next one (group commit),
//! so that many writes share one sync to disk.

mod alone;
pub(in crate::store::sqlite) mod apply;
mod batch_ends;
mod counts;
pub(in crate::store::sqlite) mod end_actions;

use std::collections::{BTreeMap, HashSet};

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::auth::access::QueueAccess;
use crate::job::limit::provider::ProviderLimits;
use crate::job::queue::QueueRules;
use crate::job::{ProviderName, State, Timestamp};
use crate::store::group::changes::Changes;
use crate::store::group::impossible::ImpossibleRows;
use crate::store::group::lease_memo::LeaseMemo;
use crate::store::group::names::{ProviderIds, QueueIds};
use crate::store::rows::location::LocationRow;
use crate::store::sql_types::{Integer, Text};
use crate::store::sqlite::access::VisibleQueues;
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::commit_group::apply::{ApplyResult, WriteResult, split_refusal};
use crate::store::{Answer, Change, Committed, JobLocation, StoreError, Submit, Write};

statement! {
    FindKind -> Text = "SELECT kind FROM jobs WHERE id = " [job: Integer as i64]
}

/// What the write side knows of the tables, beyond one transaction.
pub(crate) struct KnownRows<'a> {
    pub(crate) queue_ids: &'a mut QueueIds,
    pub(crate) provider_ids: &'a ProviderIds,
    pub(crate) limited_queues: &'a mut HashSet<i64>,
    pub(crate) impossible: &'a mut ImpossibleRows,
    pub(crate) may_have_large_payloads: &'a mut bool,
    pub(crate) may_have_end_actions: &'a mut bool,
}

/// What the configuration says of limits.
#[derive(Debug, Clone)]
pub(crate) struct LimitRules {
    pub(crate) queues: QueueRules,
    pub(crate) providers: BTreeMap<ProviderName, ProviderLimits>,
    /// Limits of each group of receivers of webhooks.
    pub(crate) callback_group: ProviderLimits,
    /// Maximum number of unfinished jobs of each API key.
    pub(crate) max_unfinished: Option<u32>,
    /// Maximum size of a payload, in bytes, which a follow-up job must not exceed when it is filled in.
    pub(crate) max_payload_bytes: usize,
}

/// Writes of one open transaction.
pub(crate) struct CommitGroup<'a> {
    pub(crate) connection: &'a mut SqliteConnection,
    pub(crate) rules: &'a QueueRules,
    pub(crate) providers: &'a BTreeMap<ProviderName, ProviderLimits>,
    /// Limits of each group of receivers of webhooks.
    pub(crate) callback_group: ProviderLimits,
    /// Maximum number of unfinished jobs of each API key.
    pub(crate) max_unfinished: Option<u32>,
    /// Maximum size of a payload, in bytes.
    pub(crate) max_payload_bytes: usize,
    pub(crate) queue_ids: &'a mut QueueIds,
    pub(crate) provider_ids: &'a ProviderIds,
    /// Queues that have had a limit since the database was opened. Only their leases read their limits.
    pub(crate) limited_queues: &'a mut HashSet<i64>,
    pub(crate) impossible: &'a mut ImpossibleRows,
    /// Whether a job may have a payload of more than
    /// [`LARGE_PAYLOAD_BYTES`](crate::roster::LARGE_PAYLOAD_BYTES), so that a lease must
    /// look at the sizes of payloads. False if only smaller ones were submitted since the database was
    /// opened without active jobs.
    pub(crate) may_have_large_payloads: &'a mut bool,
    /// Whether a job or batch may cause something when it ends. False only if none has since the database
    /// was opened, and none did before.
    pub(crate) may_have_end_actions: &'a mut bool,
    /// Whether each write, and each end, is applied after a savepoint, because the group had a fault.
    pub(super) is_alone: bool,
    /// Whether writes of many rows handle each row after a savepoint of its own.
    pub(super) is_row_wise: bool,
    /// Smallest lease token of this epoch.
    pub(crate) token_floor: i64,
    pub(crate) now: Timestamp,
    /// Queues of the caller of the current write.
    pub(in crate::store::sqlite) visible: VisibleQueues,
    pub(crate) changes: Changes,
    pub(crate) lease_memo: LeaseMemo,
}

impl<'a> CommitGroup<'a> {
    pub(crate) fn new(
        connection: &'a mut SqliteConnection,
        limit_rules: &'a LimitRules,
        known: KnownRows<'a>,
        token_floor: i64,
        now: Timestamp,
    ) -> Self {
        let KnownRows { queue_ids, provider_ids, limited_queues, impossible, .. } = known;
        let KnownRows { may_have_large_payloads, may_have_end_actions, .. } = known;
        let LimitRules { queues: rules, providers, max_unfinished, max_payload_bytes, .. } =
            limit_rules;
        let callback_group = limit_rules.callback_group;
        Self {
            connection,
            rules,
            providers,
            callback_group,
            max_unfinished: *max_unfinished,
            max_payload_bytes: *max_payload_bytes,
            queue_ids,
            provider_ids,
            limited_queues,
            impossible,
            may_have_large_payloads,
            may_have_end_actions,
            is_alone: false,
            is_row_wise: false,
            token_floor,
            now,
            visible: VisibleQueues::default(),
            changes: Changes::default(),
            lease_memo: LeaseMemo::default(),
        }
    }

    /// Applies writes in order. Consecutive plain submissions are inserted together.
    pub(crate) fn apply_all(
        &mut self,
        writes: &[&Write],
    ) -> Result<Vec<WriteResult>, TransactionError> {
        let mut answers = Vec::with_capacity(writes.len());
        let mut remaining = writes;
        while let [first, others @ ..] = remaining {
            let plain: Vec<&Submit> =
                remaining.iter().map_while(|write| self.plain_submit(write)).collect();
            if plain.is_empty() {
                answers.push(split_refusal(self.apply(first))?);
                remaining = others;
            } else {
                answers.extend(self.submit_together(&plain)?);
                remaining = &remaining[plain.len()..];
            }
        }
        Ok(answers)
    }

    /// Returns a submission that can be inserted together with others: one that is plain, and that no limit of
    /// its API key can refuse.
    fn plain_submit<'w>(&self, write: &'w Write) -> Option<&'w Submit> {
        let has_limit = |submit: &Submit| submit.jobs.iter().any(|job| job.key.is_some());
        write.plain_submit().filter(|submit| self.max_unfinished.is_none() || !has_limit(submit))
    }

    /// Applies one write. After [`ApplyError::Failed`](apply::ApplyError::Failed) the caller must roll back.
    pub(crate) fn apply(&mut self, write: &Write) -> ApplyResult {
        match write {
            Write::Submit(submit) => self.submit(submit),
            Write::Lease(request) => self.lease(request),
            Write::Finish(finish) => self.finish(finish),
            Write::Renew(renew) => self.renew(renew),
            Write::Report(lease, progress) => {
                self.report(*lease, Some(progress.percent), progress.message.as_deref())
            }
            Write::Log(lines) => self.log(lines),
            Write::Cancel(job) => self.cancel(*job),
            Write::CancelBatch(batch) => self.cancel_batch(*batch),
            Write::AddJobs { batch, submit, open_for } => self.add_jobs(*batch, submit, *open_for),
            Write::CloseBatch(batch) => self.close_batch(*batch),
            Write::CloseBatches { limit } => self.close_batches(*limit),
            Write::PruneBatches { batches, finished_before } => {
                self.prune_batches(batches, *finished_before)
            }
            Write::Retry(job) => self.retry(*job),
            Write::RetryBatch { batch, jobs, states } => self.retry_batch(*batch, jobs, states),
            Write::Update(job, change) => self.update(*job, change),
            Write::Delete(job) => self.delete(*job),
            Write::Stage { limit } => self.stage(*limit),
            Write::Expire { limit } => self.expire(*limit),
            Write::Rescue { scope, limit } => self.rescue(*scope, *limit),
            Write::Prune { jobs, finished_before } => self.prune(jobs, *finished_before),
            Write::Each(writes) => self.each(writes, Self::apply),
            Write::Within(access, write) => self.within(access, write, Self::apply),
            Write::TimeBuckets(buckets) => self.store_time_buckets(buckets),
            Write::RecordActivity => self.record_activity(),
            Write::Probe => self.probe(),
            Write::Configure { queue, change } => self.configure(queue, change),
            Write::CreateKey(key, digest) => self.create_key(key, *digest),
            Write::RevokeKey(key) => self.revoke_key(*key),
            Write::TouchKeys(uses) => self.touch_keys(uses),
            Write::CreateWebhookSecret(name, secret, queues) => {
                self.create_webhook_secret(name, secret, queues)
            }
            Write::RotateWebhookSecret(name, secret, overlap) => {
                self.rotate_webhook_secret(name, secret, *overlap)
            }
            Write::DeleteWebhookSecret(name) => self.delete_webhook_secret(name),
            Write::LearnKinds(changes) => self.learn_kinds(changes),
        }
    }

    /// Applies a write for a caller that may only use some queues.
    pub(super) fn within(
        &mut self,
        access: &QueueAccess,
        write: &Write,
        apply: fn(&mut Self, &Write) -> ApplyResult,
    ) -> ApplyResult {
        self.visible.set(access);
        let applied = apply(self, write);
        self.visible.set(&QueueAccess::All);
        applied
    }

    pub(super) fn each(
        &mut self,
        writes: &[Write],
        apply: fn(&mut Self, &Write) -> ApplyResult,
    ) -> ApplyResult {
        let results: Result<_, TransactionError> =
            writes.iter().map(|write| split_refusal(apply(self, write))).collect();
        Ok(Answer::Each(results?))
    }

    /// Updates the counts and returns the result of the group. The caller then commits.
    pub(crate) fn close(
        mut self,
        answers: Vec<WriteResult>,
    ) -> Result<Committed, TransactionError> {
        let caused_from = self.changes.len();
        self.run_end_actions_of_jobs(0)?;
        let ended_batches = self.update_batch_counts()?;
        let end_of_jobs = self.changes.len();
        self.run_end_actions_of_batches(&ended_batches)?;
        self.run_end_actions_of_jobs(end_of_jobs)?;
        self.update_queue_counts()?;
        self.update_key_counts()?;
        self.record_batch_ends()?;
        self.remove_empty_batches()?;
        self.fill_remote_kinds()?;
        let providers = self.update_providers()?;
        Ok(self.changes.into_committed(answers, (caused_from, ended_batches), providers, self.now))
    }

    /// Sets `remote_kind` of the jobs in the remote lane that were queued again.
    fn fill_remote_kinds(&mut self) -> Result<(), TransactionError> {
        for change in self.changes.requeued_remote() {
            let find = FindKind { job: change.job.0 };
            let kind: Option<String> = find.get_result(self.connection).optional()?;
            change.remote_kind = kind.map(Into::into);
        }
        Ok(())
    }

    /// Records a change of a job's state.
    pub(crate) fn record(&mut self, change: Change) {
        if change.to == Some(State::Queued) {
            self.lease_memo.job_was_queued();
        }
        self.changes.push(change);
    }

    /// Converts a row to the location of its job.
    pub(crate) fn location(&self, row: LocationRow) -> Result<JobLocation, StoreError> {
        row.parse(self.queue_ids, self.provider_ids)
    }
}
