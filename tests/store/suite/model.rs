//! Property test: random sequences of operations on the store and on a model in memory, compared after
//! every commit group.
//!
//! More cases: `PROPTEST_CASES=2000 cargo test --test store model`. The test prints the seed that it
//! used; `PROPTEST_RNG_SEED` repeats it. It is row L10 in the table of `tests/faults/run`.

mod client;
mod draft;
mod operation;
mod table;
mod table_access;
mod table_keys;
mod table_limits;
mod table_removal;
mod table_time;
mod table_webhook_secrets;
mod table_worker;
mod webhook_secret_change;
mod writes;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use longshore::auth::api_key::ApiKey;
use longshore::job::lease::LeaseState;
use longshore::job::queue::Queue;
use longshore::job::submission::on_end::callback::CALLBACK_KIND;
use longshore::job::{BatchId, Job, JobError, JobId, Json, Lane, State};
use longshore::metrics::recorder::Recorder;
use longshore::roster::LearnedKind;
use longshore::store::{Answer, Change, EndQuery, JobFilter, Refusal, RescueScope, Write};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use serde_json::Value;

use super::Store;
use crate::kit::backend::Backend as _;
use crate::kit::with_providers;
use draft::PROVIDERS;
use operation::{Step, steps};
use table::{MAX_QUEUES, Model};

/// Number of cases if `PROPTEST_CASES` is not set.
const CASES: u32 = 64;
const STEPS: usize = 40;

fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let is_set = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if is_set { default.cases } else { CASES };
    let rng_seed = match default.rng_seed {
        RngSeed::Random => RngSeed::Fixed(u64::from(std::process::id()) ^ 0x10_75_40_7E),
        seed @ RngSeed::Fixed(_) => seed,
    };
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..default }
}

#[test]
fn any_sequence_of_operations_has_the_same_effect_as_in_the_model() {
    let (config, began) = (config(), Instant::now());
    let (cases, seed) = (config.cases, config.rng_seed);
    let (operations, inserted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let result = TestRunner::new(config).run(&steps(STEPS), |steps| {
        operations.fetch_add(steps.iter().map(Step::operations).sum(), Ordering::Relaxed);
        inserted.fetch_add(StoreAndModel::fresh().run(&steps), Ordering::Relaxed);
        Ok(())
    });
    let verdict = if result.is_ok() { "held" } else { "FAILED" };
    let (operations, inserted) = (operations.into_inner(), inserted.into_inner());
    let counts =
        format!("{operations} operations, {inserted} webhooks and follow-up jobs, seed {seed}");
    let seconds = began.elapsed().as_secs_f64();
    report(&format!(
        "L10\trandom sequences of operations, compared with a model\t{cases} cases\t{counts}\t{verdict}\t{seconds:.1}\n"
    ));
    if let Err(error) = result {
        panic!("seed {seed}: {error}");
    }
}

/// Prints a row of the table of faults, and appends it to the file `FAULTS_REPORT` if that is set.
#[allow(clippy::print_stderr, reason = "the test prints its measurements")]
fn report(row: &str) {
    eprint!("{}", row.replace('\t', " | "));
    if let Some(path) = std::env::var_os("FAULTS_REPORT") {
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(row.as_bytes()).unwrap();
    }
}

/// The store and its model.
struct StoreAndModel {
    store: Store,
    model: Model,
    /// Recorder of the charts, fed with the changes that the store reports.
    recorder: Recorder,
}

impl StoreAndModel {
    fn fresh() -> Self {
        let mut config = with_providers(&PROVIDERS);
        config.limits.max_queues = MAX_QUEUES;
        // At most two deliveries run at once to the receivers of one group.
        config.lanes.async_ = 64;
        let store = Store::configured(config.clone());
        let model = Model::new(store.now, &config);
        let recorder = Recorder::new(store.now, Vec::new(), 0);
        Self { store, model, recorder }
    }

    /// Runs the steps, and returns how many jobs the ends of others have inserted.
    fn run(mut self, steps: &[Step]) -> usize {
        for step in steps {
            match step {
                Step::Group { after_ms, operations } => {
                    self.advance(*after_ms);
                    self.model.start_group();
                    let writes: Vec<(Write, Result<Answer, Refusal>)> = operations
                        .iter()
                        .map(|operation| {
                            let write = operation.write(&self.model);
                            let expected = self.model.apply(&write);
                            (write, expected)
                        })
                        .collect();
                    self.compare_group(writes);
                }
                Step::Crash { after_ms } => {
                    self.advance(*after_ms);
                    self.store.reopen();
                    self.model.start_group();
                    let write = Write::Rescue { scope: RescueScope::Dead, limit: 1_000 };
                    let expected = self.model.apply(&write);
                    self.compare_group(vec![(write, expected)]);
                }
            }
        }
        let inserted = self.model.inserted_at_ends;
        self.compare_all();
        inserted
    }

    fn advance(&mut self, millis: u64) {
        self.store.now = self.store.now.plus(Duration::from_millis(millis));
        self.model.now = self.store.now;
    }

    /// Compares the answers, changes and ended batches of one group, and the jobs that it changed.
    fn compare_group(&mut self, writes: Vec<(Write, Result<Answer, Refusal>)>) {
        let (writes, expected): (Vec<Write>, Vec<_>) = writes.into_iter().unzip();
        let committed = self.store.commit(&writes);
        for ((write, answer), expected) in writes.iter().zip(committed.answers).zip(expected) {
            compare_emptiness(&answer, &expected);
            assert_eq!(plain_answer(answer), plain_answer(expected), "the answer to {write:?}");
        }
        let (ended, providers) = self.model.end_group();
        assert_eq!(committed.providers, providers, "providers after {writes:#?}");
        let mut ended_batches = committed.ended_batches;
        ended_batches.sort_unstable();
        assert_eq!(ended_batches, ended, "ended batches after {writes:#?}");
        self.recorder.record(&committed.changes, self.store.now);
        let changes = sorted(&self.model.changes);
        assert_eq!(sorted(&committed.changes), changes, "changes after {writes:#?}");
        for id in changes.iter().map(|change| change.job) {
            self.compare_job(id, &writes);
        }
        let backend = self.store.backend();
        assert_eq!(backend.deliveries(), self.model.deliveries, "deliveries after {writes:#?}");
        let follow_ups = self.model.follow_ups_of_batches();
        assert_eq!(backend.follow_ups_of_batches(), follow_ups, "`then` after {writes:#?}");
    }

    fn compare_job(&mut self, id: JobId, writes: &[Write]) {
        let found = self.store.reads.job(id).unwrap().map(plain_job);
        let expected = self.model.job(id).map(plain_job);
        assert_eq!(found, expected, "job {id} after {writes:#?}");
        let log = self.store.reads.log(id, 0).unwrap();
        assert_eq!(log, self.model.jobs.get(&id).map(|job| job.log.clone()), "the log of job {id}");
    }

    fn compare_all(mut self) {
        for id in (1..self.model.next_job).map(JobId) {
            self.compare_job(id, &[]);
        }
        let filter = JobFilter { limit: 10_000, ..JobFilter::default() };
        let listed = self.store.reads.jobs(&filter).unwrap().jobs;
        let listed: Vec<JobId> = listed.iter().rev().map(|job| job.id).collect();
        assert_eq!(listed, self.model.job_ids());
        for id in (1..self.model.next_batch).map(BatchId) {
            assert_eq!(self.store.reads.batch(id).unwrap(), self.model.batch(id), "batch {id}");
            let query = EndQuery { batch: id, after: 0, limit: 10_000, max_bytes: usize::MAX };
            let ended = self.store.reads.batch_update(&query).unwrap();
            let ended = ended.into_iter().flat_map(|update| update.ended);
            let mut ended: Vec<JobId> = ended.map(|(_, result)| result.id).collect();
            ended.sort_unstable();
            assert_eq!(ended, self.model.ends_of_batch(id), "ends of batch {id}");
        }
        let queues = self.store.reads.queues(self.store.now).unwrap();
        let queues: Vec<Queue> = queues.into_iter().map(plain_queue).collect();
        for queue in &queues {
            let counted = self.recorder.snapshot(Some(&queue.name), self.store.now);
            assert_eq!(counted.jobs, queue.jobs, "counts of the charts for {}", queue.name);
        }
        let running = Lane::ALL.map(|lane| self.model.running_in(lane));
        assert_eq!(self.recorder.snapshot(None, self.store.now).running, running);
        assert_eq!(queues, self.model.queues());
        let keys = self.store.reads.keys().unwrap().keys;
        let keys: Vec<ApiKey> = keys.into_iter().map(|stored| stored.key).collect();
        assert_eq!(keys, self.model.api_keys);
        let secrets: Vec<_> = self.model.webhook_secrets.values().cloned().collect();
        assert_eq!(self.store.reads.webhook_secrets().unwrap(), secrets);
        assert_eq!(self.store.reads.providers().unwrap(), self.model.provider_states());
        let kinds = self.store.reads.learned_kinds().unwrap();
        let expected: Vec<_> = self.model.learned_kinds.values().cloned().collect();
        assert_eq!(sorted_kinds(kinds), sorted_kinds(expected));
        self.compare_leases();
    }
}

impl StoreAndModel {
    /// Compares what the workers of all leases so far are told, with each key and without one.
    fn compare_leases(&mut self) {
        let leases = self.model.leases.clone();
        let keys = self.model.api_keys.iter().map(|key| Some(key.id));
        for key in keys.chain([None]).collect::<Vec<_>>() {
            let expected: Vec<LeaseState> =
                leases.iter().map(|lease| self.model.lease_state(*lease, key)).collect();
            assert_eq!(self.store.reads.lease_states(&leases, key).unwrap(), expected, "{key:?}");
        }
    }
}

fn sorted_kinds(mut kinds: Vec<LearnedKind>) -> Vec<LearnedKind> {
    kinds.sort_by_key(|learned| (learned.kind.clone(), learned.queues.to_json()));
    kinds
}

/// Sorts changes by job. Within one write the order of changes of different jobs is not defined.
fn sorted(changes: &[Change]) -> Vec<Change> {
    let mut changes = changes.to_vec();
    changes.sort_by_key(|change| change.job);
    for change in &mut changes {
        // The model does not know durations, which are only for charts.
        change.took = None;
        // The roster reads it only of queued jobs.
        change.remote_kind = change.remote_kind.take().filter(|_| change.to == Some(State::Queued));
    }
    changes
}

/// Compares `is_empty` of a lease. The store may return `false` although no job is left, but not if it
/// returned no jobs.
fn compare_emptiness(answer: &Result<Answer, Refusal>, expected: &Result<Answer, Refusal>) {
    if let (Ok(Answer::Leased(leased)), Ok(Answer::Leased(truth))) = (answer, expected) {
        assert!(truth.is_empty || !leased.is_empty, "more jobs match than {leased:?}");
        assert_eq!(leased.jobs.is_empty(), truth.jobs.is_empty());
        assert!(leased.is_empty || !truth.is_empty || !leased.jobs.is_empty(), "{leased:?}");
    }
}

/// Returns an answer as text, without messages for people and without the parts that a store may choose
/// freely.
fn plain_answer(mut answer: Result<Answer, Refusal>) -> String {
    match &mut answer {
        Ok(Answer::Cancelled { running, .. }) => running.sort_unstable(),
        Ok(Answer::Leased(leased)) => {
            leased.is_empty = false;
            for job in &mut leased.jobs {
                job.payload = plain_payload(&job.kind, &job.payload);
            }
        }
        Err(Refusal::Conflict { reason, .. } | Refusal::Rejected(reason)) => reason.clear(),
        Err(Refusal::InvalidSettings { detail, .. }) => detail.clear(),
        _ => {}
    }
    format!("{answer:?}")
}

fn plain_job(mut job: Job) -> Job {
    let plain = |error: JobError| JobError { message: String::new(), ..error };
    job.error = job.error.map(plain);
    job.payload = job.payload.map(|payload| plain_payload(&job.kind, &payload));
    for failure in job.failures.iter_mut().flatten() {
        failure.error.message.clear();
    }
    for attempt in job.attempts.iter_mut().flatten() {
        attempt.message = attempt.message.as_ref().map(|_| String::new());
    }
    job
}

/// Removes the messages for people from the body of a webhook.
fn plain_payload(kind: &str, payload: &Json) -> Json {
    if kind != CALLBACK_KIND {
        return payload.clone();
    }
    let mut value: Value = serde_json::from_str(payload.as_str()).unwrap();
    if let Some(message) = value.pointer_mut("/body/data/error/message") {
        *message = Value::Null;
    }
    Json::of(&value).unwrap()
}

/// Removes the age of the oldest job, which the model does not compute.
fn plain_queue(queue: Queue) -> Queue {
    Queue {
        oldest_queued_at: None,
        oldest_queued_age: None,
        oldest_queued_age_seconds: None,
        ..queue
    }
}
