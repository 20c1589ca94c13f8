//! Lists of random jobs with random filters, compared with a check of every single job.

use longshore::job::outcome::Outcome;
use longshore::job::{BatchId, Job, JobId, Lane, NewJob, State};
use longshore::store::{JobFilter, NewBatch, Submit, Write};

use super::Store;
use crate::kit::{completed, failed, finish, finish_remote, job, lease, leased, queue};

const QUEUES: [&str; 4] = ["default", "mail", "old", "never"];
const KINDS: [&str; 4] = ["echo", "http", "rare", "never"];
const TAGS: [&str; 3] = ["red", "blue", "never"];
const JOBS: i64 = 600;

/// Pseudorandom numbers (xorshift), the same at every run.
struct Random(u64);

impl Random {
    /// Returns a number below `end`.
    fn below(&mut self, end: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end) as usize
    }

    fn is_one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// Returns a random job. Only the first hundred may be in the queue `old` or have the kind `rare`.
    fn job(&mut self, store: &Store, number: i64) -> NewJob {
        let choices = if number < 100 { 3 } else { 2 };
        let is_scheduled = self.is_one_in(6);
        let tags = TAGS[..2].iter().filter(|_| self.is_one_in(4)).map(|tag| tag.parse().unwrap());
        NewJob {
            tags: tags.collect(),
            queue: queue(QUEUES[self.below(choices)]),
            kind: KINDS[self.below(choices)].parse().unwrap(),
            lane: if self.is_one_in(3) { Lane::Remote } else { Lane::Async },
            priority: self.below(3) as i8 - 1,
            is_scheduled,
            run_at: if is_scheduled { store.after(3_600) } else { store.now },
            ..job()
        }
    }

    fn outcome(&mut self) -> Outcome {
        match self.below(4) {
            0 => failed(),
            1 => Outcome::fatal("broken", "it broke"),
            _ => completed("1"),
        }
    }
}

/// Creates 600 jobs of all states, queues and lanes, some of them in two batches, some removed.
fn random_store(random: &mut Random) -> Store {
    let mut store = Store::fresh();
    for first in (0..JOBS).step_by(50) {
        let jobs: Vec<_> = (first..first + 50).map(|number| random.job(&store, number)).collect();
        let batch = [0, 400].contains(&first).then_some(NewBatch::default());
        store.write(Write::Submit(Submit { jobs: jobs.into(), key: None, batch })).unwrap();
        for name in &QUEUES[..3] {
            for lane in [Lane::Async, Lane::Remote] {
                run_some(&mut store, random, name, lane);
            }
        }
    }
    for _ in 0..60 {
        let job = JobId(random.below(JOBS as u64) as i64 + 1);
        // Some of these writes are refused because of the job's state.
        let write = if random.is_one_in(2) { Write::Cancel(job) } else { Write::Delete(job) };
        let _ = store.write(write);
    }
    store
}

/// Leases some jobs and finishes most of them.
fn run_some(store: &mut Store, random: &mut Random, name: &str, lane: Lane) {
    for job in leased(store.write(lease(name, lane, 8))) {
        let finish = if lane == Lane::Remote { finish_remote } else { finish };
        if !random.is_one_in(5) {
            store.write(finish(job.lease, random.outcome())).unwrap();
        }
    }
}

/// Returns all combinations of five filters, with values that match many jobs, few jobs and none.
fn filters() -> Vec<JobFilter> {
    let mut filters = vec![JobFilter { limit: 7, ..JobFilter::default() }];
    add_variants(&mut filters, &State::ALL, |filter, state| filter.state = Some(*state));
    add_variants(&mut filters, &QUEUES, |filter, name| filter.queue = Some(queue(name)));
    add_variants(&mut filters, &KINDS, |filter, kind| filter.kind = Some(kind.to_string()));
    add_variants(&mut filters, &TAGS, |filter, tag| filter.tag = Some(tag.to_string()));
    add_variants(&mut filters, &[1, 2, 3], |filter, batch| filter.batch = Some(BatchId(*batch)));
    filters
}

/// Adds a variant of every filter for each value.
fn add_variants<T>(filters: &mut Vec<JobFilter>, values: &[T], set: impl Fn(&mut JobFilter, &T)) {
    for plain in filters.clone() {
        filters.extend(values.iter().map(|value| {
            let mut filter = plain.clone();
            set(&mut filter, value);
            filter
        }));
    }
}

fn is_match(filter: &JobFilter, job: &Job) -> bool {
    filter.state.is_none_or(|state| state == job.state)
        && filter.queue.as_ref().is_none_or(|queue| *queue == job.queue)
        && filter.kind.as_ref().is_none_or(|kind| *kind == job.kind)
        && filter.tag.as_ref().is_none_or(|tag| job.tags.contains(tag))
        && filter.batch.is_none_or(|batch| Some(batch) == job.batch)
}

/// Reads all pages of a list, with a random size each.
fn read_pages(store: &mut Store, mut filter: JobFilter, random: &mut Random) -> Vec<Job> {
    let mut found = Vec::new();
    loop {
        filter.limit = [1, 7, 50, 200][random.below(4)];
        let page = store.reads.jobs(&filter).unwrap();
        assert!(page.jobs.len() <= filter.limit as usize);
        assert!(page.next.is_none_or(|next| filter.before.is_none_or(|before| next < before)));
        found.extend(page.jobs);
        filter.before = page.next;
        if filter.before.is_none() {
            return found;
        }
    }
}

#[test]
fn every_list_has_exactly_the_jobs_that_match_its_filter() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut store = random_store(&mut random);
    let all = read_pages(&mut store, JobFilter::default(), &mut random);
    let existing = (1..=JOBS).rev().map(JobId).filter(|id| store.exists(*id)).collect::<Vec<_>>();
    assert_eq!(all.iter().map(|job| job.id).collect::<Vec<_>>(), existing);
    for state in State::ALL {
        assert!(all.iter().any(|job| job.state == state), "none is {state}");
    }
    let mut matched = 0;
    for filter in filters() {
        let found = read_pages(&mut store, filter.clone(), &mut random);
        let expected: Vec<&Job> = all.iter().filter(|job| is_match(&filter, job)).collect();
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter:?}");
        matched += usize::from(!found.is_empty());
    }
    assert!(matched > 500, "only {matched} filters match a job");
}
