//! The recorder counts events in memory, as they happen, for the charts.
//!
//! It holds the number of jobs in each state and the time buckets that are not on disk yet: the
//! current bucket, and closed buckets until they are written.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use crate::job::change::Change;
use crate::job::queue::{QueueName, StateCounts};
use crate::job::{Lane, State, Timestamp};
use crate::metrics::counters::Counters;
use crate::metrics::stats::POINTS;
use crate::metrics::time_bucket::{MAX_QUEUES_PER_BUCKET, TimeBucket, bucket_start};

/// Maximum number of time buckets that are written in one transaction.
const MAX_BUCKETS_PER_WRITE: usize = 10;

/// Counts of one queue.
#[derive(Debug)]
struct QueueRecord {
    name: QueueName,
    jobs: StateCounts,
    /// Counters of the current time bucket; `None` if nothing has happened in it.
    counters: Option<Box<Counters>>,
}

/// Counts of all queues, and the time buckets that are not on disk yet. See the module docs.
#[derive(Debug)]
pub struct Recorder {
    /// Start of the current time bucket.
    began_at: Timestamp,
    records: Vec<QueueRecord>,
    index_by_queue: HashMap<QueueName, usize>,
    /// Index of the record that was used last. The next change is usually of the same queue.
    last_index: usize,
    /// Number of running jobs in each lane.
    running: [i64; Lane::COUNT],
    /// Closed time buckets that are not on disk yet, oldest first.
    closed: Vec<Arc<TimeBucket>>,
    /// Number of time buckets at the start of `closed` that are being written.
    writing: usize,
}

/// Current counts of a queue or of all queues, and the time buckets that are not on disk yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Number of jobs in each state.
    pub jobs: StateCounts,
    /// Number of running jobs in each lane, of the whole server.
    pub running: [i64; Lane::COUNT],
    /// Time buckets by their start, oldest first; the last one is not complete yet.
    pub buckets: Vec<(Timestamp, Counters)>,
}

impl Recorder {
    /// Creates a recorder from the number of jobs in the database, by queue and state, and the
    /// number of those that run in the remote lane.
    pub fn new(now: Timestamp, queues: Vec<(QueueName, StateCounts)>, remote_running: i64) -> Self {
        let mut running = [0; Lane::COUNT];
        running[Lane::Remote.index()] = remote_running;
        let mut recorder = Self {
            began_at: bucket_start(now),
            records: Vec::new(),
            index_by_queue: HashMap::new(),
            last_index: 0,
            running,
            closed: Vec::new(),
            writing: 0,
        };
        for (queue, jobs) in queues {
            let index = recorder.index_of(&queue);
            recorder.records[index].jobs = jobs;
        }
        recorder
    }

    /// Returns the index of a queue's record, which is created if there is none.
    fn index_of(&mut self, queue: &QueueName) -> usize {
        if self.records.get(self.last_index).is_some_and(|record| record.name == *queue) {
            return self.last_index;
        }
        let found = self.index_by_queue.get(queue).copied();
        self.last_index = found.unwrap_or_else(|| {
            let jobs = StateCounts::default();
            self.records.push(QueueRecord { name: queue.clone(), jobs, counters: None });
            self.index_by_queue.insert(queue.clone(), self.records.len() - 1);
            self.records.len() - 1
        });
        self.last_index
    }

    /// Counts changes that were committed together at `now`.
    pub fn record(&mut self, changes: &[Change], now: Timestamp) {
        self.roll(now);
        for change in changes {
            if let (Some(queue), Some(from)) = (&change.from_queue, change.from) {
                let index = self.index_of(queue);
                *self.records[index].jobs.get_mut(from) -= 1;
            }
            let index = self.index_of(&change.queue);
            let QueueRecord { jobs, counters, .. } = &mut self.records[index];
            counters.get_or_insert_default().record(change);
            let running = &mut self.running[change.lane.index()];
            let from = change.from.filter(|_| change.from_queue.is_none());
            for (state, delta) in [(from, -1), (change.to, 1)] {
                let Some(state) = state else { continue };
                *jobs.get_mut(state) += delta;
                if state == State::Running {
                    *running += delta;
                }
            }
        }
    }

    /// Closes the current time bucket if it ended before `now`.
    pub fn roll(&mut self, now: Timestamp) {
        let start = bucket_start(now);
        if start > self.began_at {
            self.close();
            self.began_at = start;
        }
    }

    /// Closes the current time bucket even if it has not ended; also used at shutdown. A bucket
    /// without events is dropped.
    pub fn close(&mut self) {
        let active = self.records.iter_mut().filter_map(|record| {
            let mut counters = *record.counters.take()?;
            counters.set_gauges(&record.jobs);
            Some((record.name.clone(), counters))
        });
        let mut queues: Vec<(QueueName, Counters)> = active.collect();
        if queues.is_empty() {
            return;
        }
        let all = self.total_of(queues.iter().map(|(_, counters)| counters));
        if queues.len() > MAX_QUEUES_PER_BUCKET {
            queues.select_nth_unstable_by_key(MAX_QUEUES_PER_BUCKET, |(_, counters)| {
                Reverse(counters.counts.total_events())
            });
            queues.truncate(MAX_QUEUES_PER_BUCKET);
        }
        // At most an hour of buckets is held while the disk cannot be written.
        if self.closed.len() >= POINTS && self.writing == 0 {
            self.closed.remove(0);
        }
        self.closed.push(Arc::new(TimeBucket { began_at: self.began_at, queues, all }));
    }

    /// Returns the number of running jobs in a lane.
    pub fn running(&self, lane: Lane) -> i64 {
        self.running[lane.index()]
    }

    /// Returns the sum of the counters, with the current number of waiting and running jobs.
    fn total_of<'a>(&self, counters: impl Iterator<Item = &'a Counters>) -> Counters {
        let mut all = Counters::default();
        counters.for_each(|counters| all.add(counters));
        all.set_gauges(&self.total_jobs());
        all
    }

    /// Returns the number of jobs of all queues together, by state.
    fn total_jobs(&self) -> StateCounts {
        let mut all = StateCounts::default();
        self.records.iter().for_each(|record| all.add(&record.jobs));
        all
    }

    /// Returns closed time buckets to write to disk, oldest first: some of those that are neither
    /// on disk nor being written.
    ///
    /// They are regarded as being written until the caller calls [`Recorder::mark_written`] or
    /// [`Recorder::mark_unwritten`]. A bucket that is written twice would be counted twice.
    pub fn take_unwritten(&mut self) -> Vec<Arc<TimeBucket>> {
        let unwritten = self.closed.iter().skip(self.writing).take(MAX_BUCKETS_PER_WRITE);
        let taken: Vec<_> = unwritten.cloned().collect();
        self.writing += taken.len();
        taken
    }

    /// Removes the first `count` time buckets that are being written, because they are on disk.
    pub fn mark_written(&mut self, count: usize) {
        self.closed.drain(..count);
        self.writing -= count;
    }

    /// Marks the last `count` time buckets that are being written as unwritten after a failed write.
    pub fn mark_unwritten(&mut self, count: usize) {
        self.writing -= count;
    }

    /// Returns the number of jobs of each queue, by state.
    pub fn queues(&self) -> Vec<(QueueName, StateCounts)> {
        self.records.iter().map(|record| (record.name.clone(), record.jobs)).collect()
    }

    /// Returns the current counts of a queue, or of all queues together if `queue` is `None`, and
    /// the time buckets that are not on disk yet.
    pub fn snapshot(&mut self, queue: Option<&QueueName>, now: Timestamp) -> Snapshot {
        self.roll(now);
        let record =
            queue.map(|queue| self.index_by_queue.get(queue).map(|index| &self.records[*index]));
        let jobs = match record {
            None => self.total_jobs(),
            Some(record) => record.map(|record| record.jobs).unwrap_or_default(),
        };
        let counters_in = |bucket: &Arc<TimeBucket>| match queue {
            None => Some(bucket.all.clone()),
            Some(queue) => {
                let mut queues = bucket.queues.iter();
                queues.find(|(name, _)| name == queue).map(|(_, counters)| counters.clone())
            }
        };
        let closed = self.closed.iter();
        let closed = closed.filter_map(|bucket| Some((bucket.began_at, counters_in(bucket)?)));
        let mut buckets: Vec<_> = closed.collect();
        let mut current = match record {
            None => {
                self.total_of(self.records.iter().filter_map(|record| record.counters.as_deref()))
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
            provider: None,
            key: None,
            job: JobId(1),
            queue: queue.clone(),
            lane: Lane::Async,
            remote_kind: None,
            from_queue: None,
failed: None,
            batch: None,
            from,
            to,
            due_at: None,
            took: Some(Span::from_millis(8)),
        }
    }

    #[test]
    fn events_are_counted_for_each_queue_and_in_total() {
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
        let counts = counters.counts;
        assert_eq!(began_at, at(0));
        assert_eq!((counts.submitted, counts.started, counts.completed), (3, 2, 1));
        assert_eq!((counts.waiting, counts.running), (1, 1));
        assert_eq!((counters.start.quantile(0.5), counters.run.quantile(0.5)), (Some(8), Some(8)));
        let known = recorder.snapshot(Some(&mail), at(2));
        assert_eq!((known.jobs.completed, known.buckets[0].1.counts.submitted), (1, 1));
        let unknown = recorder.snapshot(Some(&name("other")), at(2));
        assert_eq!((unknown.jobs, unknown.buckets.len()), (StateCounts::default(), 1));
    }

    #[test]
    fn a_closed_bucket_is_kept_until_it_is_on_disk() {
        let mail = name("mail");
        let mut recorder = Recorder::new(at(0), vec![(mail.clone(), StateCounts::default())], 0);
        recorder.record(&[changed(&mail, None, Some(State::Queued))], at(9));
        recorder.record(&[changed(&mail, None, Some(State::Queued))], at(10));
        let closed = recorder.take_unwritten();
        let [bucket] = closed.as_slice() else { panic!("not exactly one bucket is closed") };
        assert_eq!(
            (bucket.began_at, bucket.all.counts.submitted, bucket.all.counts.waiting),
            (at(0), 1, 1)
        );
        assert!(recorder.take_unwritten().is_empty(), "the bucket is already being written");
        recorder.mark_unwritten(1);
        assert_eq!(recorder.take_unwritten(), closed);
        let shown = recorder.snapshot(None, at(10)).buckets;
        assert_eq!(
            shown.iter().map(|(_, counters)| counters.counts.submitted).collect::<Vec<_>>(),
            [1, 1]
        );
        recorder.roll(at(20));
        recorder.mark_written(1);
        // A bucket without events is not written.
        recorder.roll(at(30));
        let remaining = recorder.take_unwritten();
        assert_eq!(remaining.iter().map(|bucket| bucket.began_at).collect::<Vec<_>>(), [at(10)]);
        assert!(recorder.take_unwritten().is_empty());
    }

    #[test]
    fn a_bucket_keeps_the_queues_with_the_most_events() {
        let queues: Vec<QueueName> =
            (0..MAX_QUEUES_PER_BUCKET + 5).map(|n| name(&n.to_string())).collect();
        let mut recorder = Recorder::new(at(0), Vec::new(), 0);
        for queue in queues.iter().chain(&queues[5..]) {
            recorder.record(&[changed(queue, None, Some(State::Queued))], at(1));
        }
        recorder.close();
        let bucket = &recorder.take_unwritten()[0];
        assert_eq!(bucket.queues.len(), MAX_QUEUES_PER_BUCKET);
        assert!(bucket.queues.iter().all(|(_, counters)| counters.counts.submitted == 2));
        assert_eq!(bucket.all.counts.submitted, 2 * MAX_QUEUES_PER_BUCKET as u64 + 5);
    }

    #[test]
    fn jobs_from_before_the_start_count_as_waiting_but_not_as_submitted() {
        let mail = name("mail");
        let jobs = StateCounts { queued: 5, completed: 7, ..StateCounts::default() };
        let mut recorder = Recorder::new(at(0), vec![(mail.clone(), jobs)], 2);
        let snapshot = recorder.snapshot(Some(&mail), at(1));
        assert_eq!((snapshot.jobs, snapshot.running[Lane::Remote.index()]), (jobs, 2));
        let counts = snapshot.buckets[0].1.counts;
        assert_eq!((counts.submitted, counts.waiting), (0, 5));
        recorder.record(&[changed(&mail, Some(State::Completed), None)], at(2));
        assert_eq!(recorder.snapshot(None, at(2)).jobs.completed, 6);
    }
}
