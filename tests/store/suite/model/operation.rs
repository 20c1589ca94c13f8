//! Random operations. They name jobs by index, because the ids are known only when they run.

mod of_batch;

use std::time::Duration;

use longshore::auth::access::QueueAccess;
use longshore::auth::key_id::KeyId;
use longshore::job::lease::{Lease, LeaseToken};
use longshore::job::outcome::{JobResult, Outcome};
use longshore::job::queue::{QueueChange, Rate};
use longshore::job::retry::Pause;
use longshore::job::submission::JobChange;
use longshore::job::{BatchId, JobError, JobId, Json, Lane, Log, Progress, Span};
use longshore::store::{Holder, LeaseRequest, LogLines, Renew, RescueScope, Write};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::client::{api_key, create_key, is_of_local_worker, set_key, touch_key};
use super::draft::end::{MAX_FOLLOW_UPS, end_draft};
use super::draft::{Draft, KINDS, QUEUES, SHARES, draft, lane, leased_queue};
use super::table::Model;
use super::webhook_secret_change::{WebhookSecretChange, webhook_secret_change};
use super::writes::{BatchDraft, finish, learn_kinds, lease_of_queue, submit_write, update_write};
use crate::kit::{self, deferred, untried};
use of_batch::{BatchOperation, batch_operation};

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A commit group of operations, some time after the step before.
    Group { after_ms: u64, operations: Vec<Operation> },
    /// The process crashes, and another one opens the database.
    Crash { after_ms: u64 },
}

impl Step {
    /// Returns the number of operations; a crash counts as one.
    pub(super) fn operations(&self) -> usize {
        match self {
            Self::Group { operations, .. } => operations.len(),
            Self::Crash { .. } => 1,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Operation {
    Submit {
        jobs: Vec<Draft>,
        key: Option<(u8, u8)>,
        /// What happens at the end of the batch, if the jobs are one.
        batch: Option<BatchDraft>,
    },
    Lease {
        queue: &'static str,
        lane: Lane,
        limit: u32,
        secs: u64,
        /// Whether jobs without a provider may start, and how many of each provider.
        lines: (bool, Vec<(&'static str, u32)>),
    },
    LeaseRemote {
        queue: &'static str,
        kinds: Option<Vec<String>>,
        limit: u32,
        worker: Option<String>,
    },
    FinishMany(Vec<(Recent, Outcome)>),
    Finish {
        lease: Recent,
        outcome: Outcome,
        is_wrong_holder: bool,
    },
    Renew {
        leases: Vec<Recent>,
        secs: Option<u64>,
        percent: Option<u8>,
        is_remote: bool,
    },
    Report {
        lease: Recent,
        percent: u8,
    },
    Log {
        lease: Recent,
        len: usize,
        is_remote: bool,
    },
    Cancel(Index),
    OfBatch(BatchOperation),
    Retry(Index),
    /// Retries a job that has ended.
    RetryEnded(Index),
    Update(Index, JobChange, Option<u64>),
    Delete(Index),
    Stage {
        limit: u32,
    },
    Expire {
        limit: u32,
    },
    Rescue {
        limit: u32,
    },
    Prune {
        jobs: Vec<Index>,
        secs: u64,
    },
    Configure {
        queue: &'static str,
        change: QueueChange,
    },
    /// An operation of a client with an API key that may only use some queues.
    Within {
        key: i64,
        pattern: &'static str,
        operation: Box<Operation>,
    },
    /// Creates a key with one of three names.
    CreateKey(u8),
    RevokeKey(Index),
    TouchKey(Index, u64),
    /// Creates a webhook secret with one of two names, rotates it (with an overlap) or deletes it.
    WebhookSecret(u8, WebhookSecretChange),
    /// Learns some of the kinds for queues, and forgets some.
    LearnKinds(Option<&'static str>, usize, usize),
}

/// Index of a granted lease, counted from the latest, which is 0. Recent leases are more likely.
pub(super) type Recent = usize;

pub(super) fn steps(count: usize) -> impl Strategy<Value = Vec<Step>> {
    let after_ms = prop_oneof![3 => 0..3_000_u64, 1 => 0..40_000_u64];
    let group = (after_ms, vec(operation(), 1..8))
        .prop_map(|(after_ms, operations)| Step::Group { after_ms, operations });
    let crash = (0..3_000_u64).prop_map(|after_ms| Step::Crash { after_ms });
    vec(prop_oneof![20 => group, 1 => crash], 1..count)
}

fn operation() -> impl Strategy<Value = Operation> {
    let within = (1..3_i64, select(vec!["*", "default", "m*", "*r*"]), trusted_operation());
    let within = within.prop_map(|(key, pattern, operation)| Operation::Within {
        key,
        pattern,
        operation: Box::new(operation),
    });
    prop_oneof![3 => trusted_operation(), 1 => within]
}

fn trusted_operation() -> impl Strategy<Value = Operation> {
    let secs = || prop_oneof![Just(1_u64), Just(10), Just(60)];
    let limit = || prop_oneof![3 => Just(100_u32), 1 => 0..4_u32];
    prop_oneof![
        6 => submit(),
        8 => (leased_queue(), lane(), 0..6_u32, secs(), lines()).prop_map(
            |(queue, lane, limit, secs, lines)| Operation::Lease { queue, lane, limit, secs, lines }
        ),
        12 => (recent(), outcome(), proptest::bool::weighted(0.05)).prop_map(
            |(lease, outcome, is_wrong_holder)| Operation::Finish { lease, outcome, is_wrong_holder }
        ),
        2 => vec((recent(), outcome()), 0..4).prop_map(Operation::FinishMany),
        4 => lease_remote(),
        3 => renew(),
        1 => (recent(), 0..120_u8)
            .prop_map(|(lease, percent)| Operation::Report { lease, percent }),
        2 => (recent(), prop_oneof![3 => 1..80_usize, 1 => 30_000..70_000_usize], any::<bool>())
            .prop_map(|(lease, len, is_remote)| Operation::Log { lease, len, is_remote }),
        3 => any::<Index>().prop_map(Operation::Cancel),
        9 => batch_operation().prop_map(Operation::OfBatch),
        2 => any::<Index>().prop_map(Operation::Retry),
        3 => any::<Index>().prop_map(Operation::RetryEnded),
        3 => update(),
        3 => any::<Index>().prop_map(Operation::Delete),
        2 => limit().prop_map(|limit| Operation::Stage { limit }),
        1 => limit().prop_map(|limit| Operation::Expire { limit }),
        1 => limit().prop_map(|limit| Operation::Rescue { limit }),
        1 => (vec(any::<Index>(), 0..4), 0..5_u64)
            .prop_map(|(jobs, secs)| Operation::Prune { jobs, secs }),
        1 => configure(),
        1 => (0..3_u8).prop_map(Operation::CreateKey),
        1 => any::<Index>().prop_map(Operation::RevokeKey),
        1 => (any::<Index>(), 0..200_u64).prop_map(|(key, secs)| Operation::TouchKey(key, secs)),
        2 => (0..2_u8, webhook_secret_change())
            .prop_map(|(name, change)| Operation::WebhookSecret(name, change)),
        1 => (option::of(Just("m*")), 0..4_usize, 0..4_usize)
            .prop_map(|(queues, asked, forgotten)| Operation::LearnKinds(queues, asked, forgotten)),
    ]
}

fn configure_write(queue: &str, change: QueueChange) -> Write {
    Write::Configure { queue: kit::queue(queue), change }
}

fn configure() -> impl Strategy<Value = Operation> {
    let rate = (1..4_u32, select(vec![500_u64, 3_000, 20_000]))
        .prop_map(|(limit, millis)| Rate { limit, period: Span::from_millis(millis as i64) });
    let paused = proptest::bool::weighted(0.3);
    let max_running = option::of(option::weighted(0.8, 0..5_u32));
    let rate = option::of(option::of(rate));
    (select(&QUEUES[..]), paused, max_running, rate).prop_map(
        |(queue, paused, max_running, rate)| {
            let change = QueueChange { paused: Some(paused), max_running, rate };
            Operation::Configure { queue, change }
        },
    )
}

/// Returns the lines of an order: at least one.
fn lines() -> impl Strategy<Value = (bool, Vec<(&'static str, u32)>)> {
    let names = proptest::sample::subsequence(&SHARES[..], 0..=SHARES.len());
    (proptest::bool::weighted(0.8), names, vec(1..6_u32, SHARES.len())).prop_map(
        |(without_provider, names, limits)| {
            let shares: Vec<_> = names.into_iter().zip(limits).collect();
            (without_provider || shares.is_empty(), shares)
        },
    )
}

/// Changes a job; the number is the delay of its start in seconds.
fn update() -> impl Strategy<Value = Operation> {
    let queue = option::weighted(0.4, select(&QUEUES[..]));
    let expires_at = option::weighted(0.2, Just(None));
    let delay = option::weighted(0.6, prop_oneof![Just(0_u64), 1..20_u64]);
    (any::<Index>(), option::of(-2..3_i8), queue, expires_at, delay).prop_map(
        |(job, priority, queue, expires_at, delay)| {
            let queue = queue.map(kit::queue);
            Operation::Update(job, JobChange { start: None, priority, expires_at, queue }, delay)
        },
    )
}

fn renew() -> impl Strategy<Value = Operation> {
    let secs = option::weighted(0.7, prop_oneof![Just(1_u64), Just(10), Just(60)]);
    let percent = option::weighted(0.3, 0..=100_u8);
    (vec(recent(), 0..4), secs, percent, any::<bool>()).prop_map(
        |(leases, secs, percent, is_remote)| Operation::Renew { leases, secs, percent, is_remote },
    )
}

fn lease_remote() -> impl Strategy<Value = Operation> {
    let kinds = option::weighted(0.6, proptest::sample::subsequence(&KINDS[..], 1..=KINDS.len()));
    let worker = option::weighted(0.7, select(vec!["ann", "bob"]));
    (leased_queue(), kinds, 0..6_u32, worker).prop_map(|(queue, kinds, limit, worker)| {
        let kinds = kinds.map(|kinds| kinds.into_iter().map(str::to_owned).collect());
        Operation::LeaseRemote { queue, kinds, limit, worker: worker.map(str::to_owned) }
    })
}

fn submit() -> impl Strategy<Value = Operation> {
    let open_secs = option::weighted(0.5, 0..60_u64);
    let batch = (end_draft(MAX_FOLLOW_UPS, 0.7), open_secs);
    let batch = batch.prop_map(|(end, open_secs)| BatchDraft { end, open_secs });
    let batch = option::weighted(0.4, batch);
    (vec(draft(), 0..5), submission_key(), batch).prop_map(|(jobs, key, batch)| Operation::Submit {
        jobs,
        key,
        batch,
    })
}

/// Returns the number of a key and the byte of its fingerprint.
pub(super) fn submission_key() -> impl Strategy<Value = Option<(u8, u8)>> {
    option::weighted(0.3, (0..3_u8, prop_oneof![5 => Just(0_u8), 1 => Just(1)]))
}

fn recent() -> impl Strategy<Value = Recent> {
    prop_oneof![6 => 0..4_usize, 1 => 0..100_usize]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let result = (0..2_u8, proptest::bool::weighted(0.1)).prop_map(|(value, truncated)| {
        let result = JobResult::whole(Json::trusted(value.to_string()));
        Outcome::Completed(JobResult { truncated, ..result })
    });
    let failure = (0..2_u8, any::<bool>(), option::weighted(0.3, 0..20_u64)).prop_map(
        |(code, retryable, secs)| Outcome::Failed {
            error: JobError::new(format!("code-{code}"), "it failed"),
            retryable,
            retry_in: secs.map(|secs| Pause::Exactly(Span::from_secs(secs))),
            detail: None,
        },
    );
    let deferral = (0..6_u64, 0..4_u8).prop_map(|(secs, cause)| match cause {
        0 => untried(secs),
        cause => deferred(secs, cause == 1),
    });
    let returned = prop_oneof![2 => Just(Outcome::Released), 1 => Just(Outcome::NotStarted)];
    prop_oneof![5 => result, 5 => failure, 3 => returned, 1 => Just(Outcome::Cancelled(None)), 3 => deferral]
}

impl Operation {
    /// Returns the write of this operation, with ids that the model knows.
    pub(super) fn write(&self, model: &Model) -> Write {
        match self {
            Self::Submit { jobs, key, batch } => submit_write(model, jobs, *key, batch.as_ref()),
            Self::Lease { queue, lane: Lane::Remote, limit, secs, .. } => {
                lease_of_queue(queue, Lane::Remote, None, *limit, (*secs, None))
            }
            Self::Lease { queue, lane, limit, secs, lines: (without_provider, providers) } => {
                let write = kit::lease_shares(queue, *limit, *without_provider, providers);
                let Write::Lease(mut request) = write else { unreachable!("not a lease") };
                request.order.lane = *lane;
                Write::Lease(LeaseRequest { duration: Span::from_secs(*secs), ..request })
            }
            Self::LeaseRemote { queue, kinds, limit, worker } => {
                let kinds = kinds.as_deref();
                lease_of_queue(queue, Lane::Remote, kinds, *limit, (40, worker.clone()))
            }
            Self::FinishMany(finishes) => {
                let finish =
                    |(lease, outcome): &(Recent, Outcome)| finish(model, *lease, outcome, false);
                Write::Each(finishes.iter().map(finish).collect())
            }
            Self::Finish { lease, outcome, is_wrong_holder } => {
                finish(model, *lease, outcome, *is_wrong_holder)
            }
            Self::Renew { leases, secs, percent, is_remote } => Write::Renew(Renew {
                leases: leases.iter().map(|lease| lease_of(model, *lease)).collect(),
                duration: secs.map(Span::from_secs),
                holder: if *is_remote { Holder::Remote(None) } else { Holder::Local },
                progress: percent.map(|percent| Progress::new(f64::from(percent), "")),
                keeps_percent: percent.is_some_and(|percent| percent % 3 == 0),
            }),
            Self::Report { lease, percent } => {
                Write::Report(lease_of(model, *lease), Progress::new(f64::from(*percent), ""))
            }
            Self::Log { lease, len, is_remote } => Write::Log(LogLines {
                lease: lease_of(model, *lease),
                holder: if *is_remote { Holder::Remote(None) } else { Holder::Local },
                log: Log::new(format!("{}\n", "x".repeat(*len))),
            }),
            Self::Cancel(job) => Write::Cancel(job_of(model, job)),
            Self::OfBatch(operation) => operation.write(model),
            Self::Retry(job) => Write::Retry(job_of(model, job)),
            Self::RetryEnded(job) => Write::Retry(ended_job_of(model, job)),
            Self::Update(job, change, delay) => update_write(model, job, change, *delay),
            Self::Delete(job) => Write::Delete(job_of(model, job)),
            Self::Stage { limit } => Write::Stage { limit: *limit },
            Self::Expire { limit } => Write::Expire { limit: *limit },
            Self::Rescue { limit } => {
                Write::Rescue { scope: RescueScope::expired_now(), limit: *limit }
            }
            Self::Prune { jobs, secs } => Write::Prune {
                jobs: jobs.iter().map(|job| job_of(model, job)).collect(),
                finished_before: model.now.minus(Duration::from_secs(*secs)),
            },
            Self::Configure { queue, change } => configure_write(queue, *change),
            Self::Within { key, pattern, operation } => within(model, *key, pattern, operation),
            Self::CreateKey(name) => create_key(model, *name),
            Self::RevokeKey(key) => Write::RevokeKey(api_key(model, key)),
            Self::TouchKey(key, secs) => touch_key(model, key, *secs),
            Self::WebhookSecret(name, change) => change.write(*name),
            Self::LearnKinds(queues, asked, forgotten) => {
                learn_kinds(model, *queues, *asked, *forgotten)
            }
        }
    }
}

fn within(model: &Model, key: i64, pattern: &str, operation: &Operation) -> Write {
    let mut write = operation.write(model);
    if is_of_local_worker(&write) {
        return write;
    }
    if model.api_keys.iter().any(|known| known.id == KeyId(key)) {
        set_key(&mut write, KeyId(key));
    }
    Write::Within(QueueAccess::of(&[pattern.parse().unwrap()]), Box::new(write))
}

/// Returns the id of a batch, possibly one above the largest.
pub(super) fn batch_of(model: &Model, batch: &Index) -> BatchId {
    BatchId(1 + batch.index(model.next_batch as usize) as i64)
}

pub(super) fn job_of(model: &Model, job: &Index) -> JobId {
    // Possibly one above the largest id.
    JobId(1 + job.index(model.next_job as usize) as i64)
}

/// Returns the id of a job that has ended, if there is one.
fn ended_job_of(model: &Model, job: &Index) -> JobId {
    let ended: Vec<JobId> = model.ended_jobs().collect();
    if ended.is_empty() { JobId(1) } else { *job.get(&ended) }
}

pub(super) fn lease_of(model: &Model, recent: Recent) -> Lease {
    let unknown = Lease { job: JobId(1), token: LeaseToken(0) };
    let count = model.leases.len();
    if count == 0 { unknown } else { model.leases[count - 1 - recent % count] }
}
