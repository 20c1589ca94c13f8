//! Any sequence of operations: the store beside a model in memory, compared after every group.
//!
//! More cases: `PROPTEST_CASES=2000 cargo test --test store model`. It says which seed it took;
//! `PROPTEST_RNG_SEED` takes that one again. It is L10 in the table of `tests/faults/run`.

mod operation;
mod table;
mod table_time;
mod table_worker;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use longshore::config::Config;
use longshore::job::queue::Queue;
use longshore::job::recorder::Recorder;
use longshore::job::{BatchId, Job, JobError, JobId, Lane};
use longshore::store::{Answer, Change, JobFilter, Refusal, RescueScope, Write};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

use crate::kit::Store;
use operation::{Step, steps};
use table::{MAX_QUEUES, Model};

/// How many cases where `PROPTEST_CASES` does not say.
const CASES: u32 = 64;
const STEPS: usize = 40;

fn config() -> ProptestConfig {
    let said = ProptestConfig::default();
    let is_said = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if is_said { said.cases } else { CASES };
    let rng_seed = match said.rng_seed {
        RngSeed::Random => RngSeed::Fixed(u64::from(std::process::id()) ^ 0x10_75_40_7E),
        seed @ RngSeed::Fixed(_) => seed,
    };
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..said }
}

#[test]
fn any_sequence_of_operations_leaves_what_the_model_says() {
    let (config, began) = (config(), Instant::now());
    let (cases, seed) = (config.cases, config.rng_seed);
    let operations = AtomicUsize::new(0);
    let ran = TestRunner::new(config).run(&steps(STEPS), |steps| {
        operations.fetch_add(steps.iter().map(Step::operations).sum(), Ordering::Relaxed);
        Pair::fresh().walk(&steps);
        Ok(())
    });
    let verdict = if ran.is_ok() { "held" } else { "FAILED" };
    let counts = format!("{} operations, seed {seed}", operations.into_inner());
    let seconds = began.elapsed().as_secs_f64();
    report(&format!(
        "L10\tany sequence of operations, beside a model\t{cases} cases\t{counts}\t{verdict}\t{seconds:.1}\n"
    ));
    if let Err(error) = ran {
        panic!("seed {seed}: {error}");
    }
}

/// Tells a row of the table of faults, and adds it where one is made.
#[allow(clippy::print_stderr, reason = "it says what it has measured")]
fn report(row: &str) {
    eprint!("{}", row.replace('\t', " | "));
    if let Some(path) = std::env::var_os("FAULTS_REPORT") {
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(row.as_bytes()).unwrap();
    }
}

/// The store and its model.
struct Pair {
    store: Store,
    model: Model,
    /// What the charts count of the changes that the store tells.
    recorder: Recorder,
}

impl Pair {
    fn fresh() -> Self {
        let mut config = Config::default();
        config.limits.max_queues = MAX_QUEUES;
        let store = Store::configured(config);
        let model = Model::new(store.now);
        let recorder = Recorder::new(store.now, Vec::new(), 0);
        Self { store, model, recorder }
    }

    fn walk(mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Group { after_ms, operations } => {
                    self.pass(*after_ms);
                    self.model.begin();
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
                    self.pass(*after_ms);
                    self.store.reopen();
                    self.model.begin();
                    let write = Write::Rescue { scope: RescueScope::Dead, limit: 1_000 };
                    let expected = self.model.apply(&write);
                    self.compare_group(vec![(write, expected)]);
                }
            }
        }
        self.compare_all();
    }

    fn pass(&mut self, millis: u64) {
        self.store.now = self.store.now.plus(Duration::from_millis(millis));
        self.model.now = self.store.now;
    }

    /// Answers, moves and ended batches of one group, and the jobs that it moved.
    fn compare_group(&mut self, writes: Vec<(Write, Result<Answer, Refusal>)>) {
        let (writes, expected): (Vec<Write>, Vec<_>) = writes.into_iter().unzip();
        let committed = self.store.commit(&writes);
        for ((write, answer), expected) in writes.iter().zip(committed.answers).zip(expected) {
            compare_emptiness(&answer, &expected);
            assert_eq!(plain_answer(answer), plain_answer(expected), "the answer to {write:?}");
        }
        let ended = self.model.close();
        let mut told_ended = committed.ended_batches;
        told_ended.sort_unstable();
        assert_eq!(told_ended, ended, "ended batches after {writes:#?}");
        self.recorder.record(&committed.changes, self.store.now);
        let moves = sorted(&self.model.moves);
        assert_eq!(sorted(&committed.changes), moves, "changes after {writes:#?}");
        for id in moves.iter().map(|change| change.job) {
            self.compare_job(id, &writes);
        }
    }

    fn compare_job(&mut self, id: JobId, writes: &[Write]) {
        let found = self.store.reads.job(id).unwrap().map(plain_job);
        let expected = self.model.job(id).map(plain_job);
        assert_eq!(found, expected, "job {id} after {writes:#?}");
        let log = self.store.reads.log(id, 0).unwrap();
        assert_eq!(log, self.model.rows.get(&id).map(|row| row.log.clone()), "the log of job {id}");
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
        }
        let queues = self.store.reads.queues(self.store.now).unwrap();
        let queues: Vec<Queue> = queues.into_iter().map(plain_queue).collect();
        for queue in &queues {
            let counted = self.recorder.snapshot(Some(&queue.name), self.store.now);
            assert_eq!(counted.jobs, queue.jobs, "what the charts count of {}", queue.name);
        }
        let running = Lane::ALL.map(|lane| self.model.running_in(lane));
        assert_eq!(self.recorder.snapshot(None, self.store.now).running, running);
        assert_eq!(queues, self.model.queues());
    }
}

/// Moves by job; those of one job in their order. Which job of a group moves first is free.
fn sorted(changes: &[Change]) -> Vec<Change> {
    let mut changes = changes.to_vec();
    changes.sort_by_key(|change| change.job);
    // How long things took is for charts; the model does not know it.
    changes.iter_mut().for_each(|change| change.took = None);
    changes
}

/// Where the store says that there is no more, there is none. Where there is some it may say so late,
/// but not for ever.
fn compare_emptiness(answer: &Result<Answer, Refusal>, expected: &Result<Answer, Refusal>) {
    if let (Ok(Answer::Leased(leased)), Ok(Answer::Leased(truth))) = (answer, expected) {
        assert!(truth.is_empty || !leased.is_empty, "there is more than {leased:?}");
        assert_eq!(leased.jobs.is_empty(), truth.jobs.is_empty());
        assert!(leased.is_empty || !truth.is_empty || !leased.jobs.is_empty(), "{leased:?}");
    }
}

/// An answer without the words that only people read.
fn plain_answer(mut answer: Result<Answer, Refusal>) -> String {
    match &mut answer {
        Ok(Answer::Cancelled { running, .. }) => running.sort_unstable(),
        Ok(Answer::Leased(leased)) => leased.is_empty = false,
        Err(Refusal::Conflict { why, .. } | Refusal::Rejected(why)) => why.clear(),
        _ => {}
    }
    format!("{answer:?}")
}

fn plain_job(mut job: Job) -> Job {
    let plain = |error: JobError| JobError { message: String::new(), ..error };
    job.error = job.error.map(plain);
    for failure in job.failures.iter_mut().flatten() {
        failure.error.message.clear();
    }
    job
}

/// Since when the oldest waits is told roughly only.
fn plain_queue(queue: Queue) -> Queue {
    Queue { oldest_queued_at: None, oldest_queued_age: None, ..queue }
}
