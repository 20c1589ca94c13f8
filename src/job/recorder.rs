//! Counts what happens while it happens: how things stand, and what is not on disk yet.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use crate::job::change::Change;
use crate::job::counters::{Counters, MAX_QUEUES_PER_BUCKET, TimeBucket, bucket_start};
use crate::job::queue::{QueueName, StateCounts};
use crate::job::stats::POINTS;
use crate::job::{Lane, State, Timestamp};

/// How many stretches are written in one transaction.
const MAX_BUCKETS_PER_WRITE: usize = 10;

/// One queue, as it stands and in the bucket that goes on.
#[derive(Debug)]
struct QueueRecord {
    queue: QueueName,
    jobs: StateCounts,
    /// What happened in the bucket that goes on; none where nothing did.
    counters: Option<Box<Counters>>,
}

/// Counts what happens while it happens.
#[derive(Debug)]
pub struct Recorder {
    began_at: Timestamp,
    records: Vec<QueueRecord>,
    by_queue: HashMap<QueueName, usize>,
    /// The record that moved last: mostly the next one is of the same queue.
    last: usize,
    running: [i64; Lane::COUNT],
    /// Stretches that are over and not on disk yet.
    closed: Vec<Arc<TimeBucket>>,
    /// How many of them, from the first, are being written.
    writing: usize,
}

/// How things stand, and what is not on disk yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The jobs, by state.
    pub jobs: StateCounts,
    /// How many run, by lane; of the whole server.
    pub running: [i64; Lane::COUNT],
    /// By the begin of their stretches, oldest first; the last one goes on.
    pub buckets: Vec<(Timestamp, Counters)>,
}

impl Recorder {
    /// Begins with the jobs that are there.
    pub fn new(now: Timestamp, queues: Vec<(QueueName, StateCounts)>, remote_running: i64) -> Self {
        let mut running = [0; Lane::COUNT];
        running[Lane::Remote.index()] = remote_running;
        let mut new = Self {
            began_at: bucket_start(now),
            records: Vec::new(),
            by_queue: HashMap::new(),
            last: 0,
            running,
            closed: Vec::new(),
            writing: 0,
        };
        for (queue, jobs) in queues {
            let record = new.record_of(&queue);
            new.records[record].jobs = jobs;
        }
        new
    }

    fn record_of(&mut self, queue: &QueueName) -> usize {
        if self.records.get(self.last).is_some_and(|record| record.queue == *queue) {
            return self.last;
        }
        let found = self.by_queue.get(queue).copied();
        self.last = found.unwrap_or_else(|| {
            let record =
                QueueRecord { queue: queue.clone(), jobs: StateCounts::default(), counters: None };
            self.records.push(record);
            self.by_queue.insert(queue.clone(), self.records.len() - 1);
            self.records.len() - 1
        });
        self.last
    }

    /// Counts moves that happened together.
    pub fn record(&mut self, changes: &[Change], now: Timestamp) {
        self.roll(now);
        for change in changes {
            let record = self.record_of(&change.queue);
            let QueueRecord { jobs, counters, .. } = &mut self.records[record];
            counters.get_or_insert_default().record(change);
            let running = &mut self.running[change.lane.index()];
            for (state, delta) in [(change.from, -1), (change.to, 1)] {
                let Some(state) = state else { continue };
                *jobs.of(state) += delta;
                if state == State::Running {
                    *running += delta;
                }
            }
        }
    }

    /// Closes the bucket that is over.
    pub fn roll(&mut self, now: Timestamp) {
        let begins = bucket_start(now);
        if begins > self.began_at {
            self.close();
            self.began_at = begins;
        }
    }

    /// Closes the bucket that goes on, over or not: the server goes down.
    pub fn close(&mut self) {
        let active = self.records.iter_mut().filter_map(|record| {
            let mut counters = *record.counters.take()?;
            counters.set_gauges(&record.jobs);
            Some((record.queue.clone(), counters))
        });
        let mut queues: Vec<(QueueName, Counters)> = active.collect();
        if queues.is_empty() {
            return;
        }
        let all = self.all_of(queues.iter().map(|(_, counters)| counters));
        if queues.len() > MAX_QUEUES_PER_BUCKET {
            queues.select_nth_unstable_by_key(MAX_QUEUES_PER_BUCKET, |(_, counters)| {
                Reverse(counters.total_events())
            });
            queues.truncate(MAX_QUEUES_PER_BUCKET);
        }
        if self.closed.len() >= POINTS && self.writing == 0 {
            self.closed.remove(0);
        }
        self.closed.push(Arc::new(TimeBucket { began_at: self.began_at, queues, all }));
    }

    fn all_of<'a>(&self, counters: impl Iterator<Item = &'a Counters>) -> Counters {
        let mut all = Counters::default();
        counters.for_each(|counters| all.add(counters));
        all.set_gauges(&self.jobs());
        all
    }

    /// The jobs of all queues.
    fn jobs(&self) -> StateCounts {
        let mut all = StateCounts::default();
        for record in &self.records {
            let mut jobs = record.jobs;
            State::ALL.into_iter().for_each(|state| *all.of(state) += *jobs.of(state));
        }
        all
    }

    /// Some of the stretches that are over and neither on disk nor being written, oldest first. They
    /// count as being written until [`Recorder::mark_written`] or [`Recorder::mark_unwritten`] tells of them:
    /// what is written twice would count twice.
    pub fn take_unwritten(&mut self) -> Vec<Arc<TimeBucket>> {
        let some = self.closed.iter().skip(self.writing).take(MAX_BUCKETS_PER_WRITE);
        let some: Vec<_> = some.cloned().collect();
        self.writing += some.len();
        some
    }

    /// The first so many of those that are being written are on disk.
    pub fn mark_written(&mut self, count: usize) {
        self.closed.drain(..count);
        self.writing -= count;
    }

    /// The last so many of those that are being written could not be, and are to be again.
    pub fn mark_unwritten(&mut self, count: usize) {
        self.writing -= count;
    }

    /// How many jobs each queue has, by state.
    pub fn queues(&self) -> Vec<(QueueName, StateCounts)> {
        self.records.iter().map(|record| (record.queue.clone(), record.jobs)).collect()
    }

    /// How a queue stands, or all together, and what is not on disk yet.
    pub fn snapshot(&mut self, queue: Option<&QueueName>, now: Timestamp) -> Snapshot {
        self.roll(now);
        let record =
            queue.map(|queue| self.by_queue.get(queue).map(|record| &self.records[*record]));
        let jobs = match record {
            None => self.jobs(),
            Some(record) => record.map(|record| record.jobs).unwrap_or_default(),
        };
        let of_bucket = |bucket: &Arc<TimeBucket>| match queue {
            None => Some(bucket.all.clone()),
            Some(queue) => {
                let mut queues = bucket.queues.iter();
                queues.find(|(name, _)| name == queue).map(|(_, counters)| counters.clone())
            }
        };
        let closed = self.closed.iter();
        let closed = closed.filter_map(|bucket| Some((bucket.began_at, of_bucket(bucket)?)));
        let mut buckets: Vec<_> = closed.collect();
        let mut current = match record {
            None => {
                self.all_of(self.records.iter().filter_map(|record| record.counters.as_deref()))
            }
            Some(record) => {
                record.and_then(|record| record.counters.as_deref()).cloned().unwrap_or_default()
            }
        };
        current.set_gauges(&jobs);
        buckets.push((self.began_at, current));
        Snapshot { jobs, running: self.running, buckets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{JobId, Span};

    fn name(text: &str) -> QueueName {
        text.parse().unwrap()
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + secs * 1_000)
    }

    fn changed(queue: &QueueName, from: Option<State>, to: Option<State>) -> Change {
        Change {
            job: JobId(1),
            queue: queue.clone(),
            lane: Lane::Async,
            remote_kind: None,
            batch: None,
            from,
            to,
            due_at: None,
            took: Some(Span::from_millis(8)),
        }
    }

    #[test]
    fn what_happens_is_counted_by_queue_and_all_together() {
        let (mail, bulk) = (name("mail"), name("bulk"));
        let mut recorder = Recorder::new(at(0), Vec::new(), 0);
        let changes = [
            changed(&mail, None, Some(State::Queued)),
            changed(&mail, Some(State::Queued), Some(State::Running)),
            changed(&mail, Some(State::Running), Some(State::Completed)),
            changed(&bulk, None, Some(State::Scheduled)),
            changed(&bulk, None, Some(State::Queued)),
            changed(&bulk, Some(State::Queued), Some(State::Running)),
        ];
        recorder.record(&changes, at(1));
        let all = recorder.snapshot(None, at(2));
        assert_eq!((all.jobs.completed, all.jobs.scheduled, all.jobs.running), (1, 1, 1));
        assert_eq!(all.running, [1, 0, 0, 0]);
        let [(began_at, counters)] = all.buckets.try_into().unwrap();
        assert_eq!(began_at, at(0));
        assert_eq!((counters.submitted, counters.started, counters.completed), (3, 2, 1));
        assert_eq!((counters.waiting, counters.running), (1, 1));
        assert_eq!((counters.start.quantile(0.5), counters.run.quantile(0.5)), (Some(8), Some(8)));
        let of_mail = recorder.snapshot(Some(&mail), at(2));
        assert_eq!((of_mail.jobs.completed, of_mail.buckets[0].1.submitted), (1, 1));
        let of_none = recorder.snapshot(Some(&name("other")), at(2));
        assert_eq!((of_none.jobs, of_none.buckets.len()), (StateCounts::default(), 1));
    }

    #[test]
    fn a_stretch_that_is_over_is_kept_until_it_is_on_disk() {
        let mail = name("mail");
        let mut recorder = Recorder::new(at(0), vec![(mail.clone(), StateCounts::default())], 0);
        recorder.record(&[changed(&mail, None, Some(State::Queued))], at(9));
        recorder.record(&[changed(&mail, None, Some(State::Queued))], at(10));
        let closed = recorder.take_unwritten();
        let [bucket] = closed.as_slice() else { panic!("not one is closed") };
        assert_eq!((bucket.began_at, bucket.all.submitted, bucket.all.waiting), (at(0), 1, 1));
        assert!(recorder.take_unwritten().is_empty(), "it is being written");
        recorder.mark_unwritten(1);
        assert_eq!(recorder.take_unwritten(), closed);
        let shown = recorder.snapshot(None, at(10)).buckets;
        assert_eq!(
            shown.iter().map(|(_, counters)| counters.submitted).collect::<Vec<_>>(),
            [1, 1]
        );
        recorder.roll(at(20));
        recorder.mark_written(1);
        // Where nothing happens, nothing is to be written.
        recorder.roll(at(30));
        let rest = recorder.take_unwritten();
        assert_eq!(rest.iter().map(|bucket| bucket.began_at).collect::<Vec<_>>(), [at(10)]);
        assert!(recorder.take_unwritten().is_empty());
    }

    #[test]
    fn of_many_queues_those_are_kept_in_which_most_happened() {
        let queues: Vec<QueueName> =
            (0..MAX_QUEUES_PER_BUCKET + 5).map(|n| name(&n.to_string())).collect();
        let mut recorder = Recorder::new(at(0), Vec::new(), 0);
        for queue in queues.iter().chain(&queues[5..]) {
            recorder.record(&[changed(queue, None, Some(State::Queued))], at(1));
        }
        recorder.close();
        let bucket = &recorder.take_unwritten()[0];
        assert_eq!(bucket.queues.len(), MAX_QUEUES_PER_BUCKET);
        assert!(bucket.queues.iter().all(|(_, counters)| counters.submitted == 2));
        assert_eq!(bucket.all.submitted, 2 * MAX_QUEUES_PER_BUCKET as u64 + 5);
    }

    #[test]
    fn jobs_that_were_there_before_count_as_standing_and_not_as_submitted() {
        let mail = name("mail");
        let jobs = StateCounts { queued: 5, completed: 7, ..StateCounts::default() };
        let mut recorder = Recorder::new(at(0), vec![(mail.clone(), jobs)], 2);
        let snapshot = recorder.snapshot(Some(&mail), at(1));
        assert_eq!((snapshot.jobs, snapshot.running[Lane::Remote.index()]), (jobs, 2));
        assert_eq!((snapshot.buckets[0].1.submitted, snapshot.buckets[0].1.waiting), (0, 5));
        recorder.record(&[changed(&mail, Some(State::Completed), None)], at(2));
        assert_eq!(recorder.snapshot(None, at(2)).jobs.completed, 6);
    }
}
