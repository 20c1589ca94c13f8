//! The writes of random operations.

use std::time::Duration;

use longshore::auth::access::QueueAccess;
use longshore::job::outcome::Outcome;
use longshore::job::submission::on_end::reference::Source;
use longshore::job::submission::{JobChange, Start};
use longshore::job::{JobId, Lane, Span, State};
use longshore::roster::{KindChanges, LearnedKind, LeaseOrder};
use longshore::store::{
    Finish, Holder, JobLocation, LeaseRequest, NewBatch, SubmissionKey, Submit, Write,
};
use proptest::sample::Index;

use super::draft::end::EndDraft;
use super::draft::{Draft, KINDS};
use super::operation::{Recent, batch_of, job_of, lease_of};
use super::table::Model;
use crate::kit;

/// Returns a submission, whose key is given by its number and the byte of its fingerprint.
pub(super) fn submit_write(
    model: &Model,
    jobs: &[Draft],
    key: Option<(u8, u8)>,
    batch: Option<&BatchDraft>,
) -> Write {
    let batch = batch.map(|BatchDraft { end, open_secs }| {
        let on_end = end.on_end(model, Source::Batch);
        NewBatch { name: None, on_end, open_for: open_secs.map(Span::from_secs) }
    });
    Write::Submit(submission(model, jobs, key, batch))
}

/// Random batch.
#[derive(Debug, Clone)]
pub(super) struct BatchDraft {
    pub(super) end: EndDraft,
    /// Time for which it is open, in seconds.
    pub(super) open_secs: Option<u64>,
}

fn submission(
    model: &Model,
    jobs: &[Draft],
    key: Option<(u8, u8)>,
    batch: Option<NewBatch>,
) -> Submit {
    let key = key.map(|(key, fingerprint)| {
        SubmissionKey::new(format!("key-{key}").parse().unwrap(), [fingerprint; 32])
    });
    Submit { jobs: jobs.iter().map(|draft| draft.new_job(model)).collect(), key, batch }
}

/// Returns an addition to an open batch, if there is one.
pub(super) fn add_write(
    model: &Model,
    batch: &Index,
    jobs: &[Draft],
    key: Option<(u8, u8)>,
) -> Write {
    let open = model.open_batches();
    let batch = if open.is_empty() { batch_of(model, batch) } else { *batch.get(&open) };
    let submit = submission(model, jobs, key, None);
    Write::AddJobs { batch, submit, open_for: Span::from_secs(30) }
}

pub(super) fn lease_of_queue(
    name: &str,
    lane: Lane,
    kinds: Option<&[String]>,
    limit: u32,
    (secs, worker): (u64, Option<String>),
) -> Write {
    let kinds = kinds.map(Into::into);
    let (queue, waiting_worker, payload_room) = (kit::queue(name), None, usize::MAX);
    let (without_provider, providers) = (true, Vec::new());
    let order = LeaseOrder {
        queue,
        lane,
        kinds,
        limit,
        waiting_worker,
        payload_room,
        without_provider,
        providers,
    };
    Write::Lease(LeaseRequest { order, duration: Span::from_secs(secs), worker, key: None })
}

/// Returns a finish by the kind of worker that runs the job's lane, or by the other kind.
pub(super) fn finish(
    model: &Model,
    lease: Recent,
    outcome: &Outcome,
    is_wrong_holder: bool,
) -> Write {
    let lease = lease_of(model, lease);
    let job = model.job(lease.job);
    let is_remote = job.as_ref().is_some_and(|job| job.lane == Lane::Remote);
    let holder = if is_remote == is_wrong_holder { Holder::Local } else { Holder::Remote(None) };
    // Local workers know the location of their jobs.
    let location = job.filter(|_| holder == Holder::Local).map(|job| JobLocation {
        provider: model.jobs[&job.id].provider.clone(),
        key: model.jobs[&job.id].key,
        job: job.id,
        queue: job.queue.clone(),
        lane: job.lane,
        batch: job.batch,
    });
    Write::Finish(Finish { lease, outcome: outcome.clone(), holder, location, started_at: None })
}

/// Returns an update that also sets the start to now or later.
pub(super) fn update_write(
    model: &Model,
    job: &Index,
    change: &JobChange,
    delay: Option<u64>,
) -> Write {
    let start = delay.map(|secs| match secs {
        0 => Start::Now,
        secs => Start::At(model.now.plus(Duration::from_secs(secs))),
    });
    Write::Update(job_of(model, job), JobChange { start, ..change.clone() })
}

/// Returns a retry of all jobs of a batch, and of the first jobs of others.
pub(super) fn retry_batch(model: &Model, batch: &Index, cancelled: bool) -> Write {
    let batch = batch_of(model, batch);
    let of_batch = model.batches.get(&batch).into_iter().flat_map(|batch| batch.jobs.keys());
    let states =
        if cancelled { vec![State::Failed, State::Cancelled] } else { vec![State::Failed] };
    let jobs = of_batch.copied().chain((1..5).map(JobId)).collect();
    Write::RetryBatch { batch, jobs, states }
}

/// Returns a write that learns the first of the kinds for queues, and forgets the last of them.
pub(super) fn learn_kinds(
    model: &Model,
    pattern: Option<&str>,
    asked: usize,
    forgotten: usize,
) -> Write {
    let patterns: Vec<_> = pattern.iter().map(|pattern| pattern.parse().unwrap()).collect();
    let learned = |kind: &&str| LearnedKind {
        kind: kind.parse().unwrap(),
        queues: QueueAccess::of(&patterns),
        asked_at: model.now,
    };
    let asked = KINDS.iter().take(asked).map(learned).collect();
    let forgotten = KINDS.iter().rev().take(forgotten).map(learned).collect();
    Write::LearnKinds(KindChanges { asked, forgotten })
}
