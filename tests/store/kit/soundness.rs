//! What holds of the tables after every group, whatever it did.

use std::collections::{BTreeMap, BTreeSet};

use longshore::job::State;
use longshore::job::queue::StateCounts;

use super::{Store, Tables};

impl Store {
    /// Compares everything that is kept twice with a scan of what it was counted from.
    pub(crate) fn assert_sound(&self) {
        let tables = self.backend().tables();
        assert_eq!(tables.damage, Vec::<String>::new(), "the database is damaged");
        assert_queue_counts(&tables);
        assert_batches(&tables);
        assert_tags(&tables);
        assert_results(&tables);
        assert_submissions(&tables);
    }
}

fn assert_queue_counts(tables: &Tables) {
    let mut scanned = BTreeMap::new();
    for (queue, state, _) in &tables.queue_counts {
        scanned.insert((queue.clone(), *state), 0);
    }
    for job in &tables.jobs {
        *scanned.entry((job.queue.clone(), job.state)).or_insert(0) += 1;
    }
    let kept: BTreeMap<_, _> = tables
        .queue_counts
        .iter()
        .map(|(queue, state, jobs)| ((queue.clone(), *state), *jobs))
        .collect();
    assert_eq!(kept, scanned, "queue_counts and a scan of the jobs differ");
    let queues: BTreeSet<_> = tables.queue_counts.iter().map(|(queue, ..)| queue).collect();
    assert_eq!(kept.len(), queues.len() * State::ALL.len(), "a queue has a count a state");
}

/// A final job that was removed still counts; everything else is as scanned.
fn assert_batches(tables: &Tables) {
    let mut scanned: BTreeMap<i64, StateCounts> = BTreeMap::new();
    for job in &tables.jobs {
        if let Some(batch) = job.batch {
            *scanned.entry(batch).or_default().of(job.state) += 1;
        }
    }
    for batch in &tables.batches {
        let name = format!("batch {batch:?}");
        let mut found = scanned.remove(&batch.id).unwrap_or_else(|| panic!("{name} has no jobs"));
        let mut kept = batch.counts;
        for state in State::ALL {
            let (kept, found) = (*kept.of(state), *found.of(state));
            let agrees = if state.is_final() { kept >= found } else { kept == found };
            assert!(agrees, "{name} has {found} jobs that are {state}");
        }
        let total: i64 = State::ALL.into_iter().map(|state| *kept.of(state)).sum();
        assert_eq!(total, batch.total, "{name} does not add up");
        assert_eq!(batch.finished_at.is_some(), kept.live() == 0, "{name} and its end");
    }
    assert!(scanned.is_empty(), "jobs of batches that are not there: {scanned:?}");
}

fn assert_tags(tables: &Tables) {
    let shown: BTreeSet<(String, i64)> = tables
        .jobs
        .iter()
        .flat_map(|job| job.tags.iter().map(|tag| (tag.clone(), job.id)))
        .collect();
    let listed: BTreeSet<(String, i64)> = tables.tags.iter().cloned().collect();
    assert_eq!(listed, shown, "the tags to find jobs by are not those that they show");
}

fn assert_results(tables: &Tables) {
    let completed: BTreeSet<i64> =
        tables.jobs.iter().filter(|job| job.state == State::Completed).map(|job| job.id).collect();
    let results: BTreeSet<i64> = tables.results.iter().copied().collect();
    assert_eq!(results, completed, "completed jobs, and only they, have a result");
}

fn assert_submissions(tables: &Tables) {
    let ids: BTreeSet<i64> = tables.jobs.iter().map(|job| job.id).collect();
    for (first, jobs) in &tables.submissions {
        let is_there = ids.range(*first..first + jobs).next().is_some();
        assert!(is_there, "the key of jobs from {first} on outlives them");
    }
}
