//! Counts what happens while it happens: how things stand, and what is not on disk yet.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use crate::job::queue::{QueueName, StateCounts};
use crate::job::stats::POINTS;
use crate::job::tally::{MAX_QUEUES_KEPT, Move, Stretch, Tally, stretch_of};
use crate::job::{Lane, State, Timestamp};

/// How many stretches are written in one transaction.
const WRITTEN_AT_ONCE: usize = 10;

/// One queue, as it stands and in the stretch that goes on.
#[derive(Debug)]
struct Line {
    queue: QueueName,
    jobs: StateCounts,
    /// What happened in the stretch that goes on; none where nothing did.
    tally: Option<Box<Tally>>,
}

/// Counts what happens while it happens.
#[derive(Debug)]
pub struct Tallies {
    began_at: Timestamp,
    lines: Vec<Line>,
    by_queue: HashMap<QueueName, usize>,
    /// The line that moved last: mostly the next one is of the same queue.
    last: usize,
    running: [i64; Lane::COUNT],
    /// Stretches that are over and not on disk yet.
    closed: Vec<Arc<Stretch>>,
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
    pub tallies: Vec<(Timestamp, Tally)>,
}

impl Tallies {
    /// Begins with the jobs that are there.
    pub fn new(now: Timestamp, queues: Vec<(QueueName, StateCounts)>, remote_running: i64) -> Self {
        let mut running = [0; Lane::COUNT];
        running[Lane::Remote.index()] = remote_running;
        let mut new = Self {
            began_at: stretch_of(now),
            lines: Vec::new(),
            by_queue: HashMap::new(),
            last: 0,
            running,
            closed: Vec::new(),
            writing: 0,
        };
        for (queue, jobs) in queues {
            let line = new.line(&queue);
            new.lines[line].jobs = jobs;
        }
        new
    }

    fn line(&mut self, queue: &QueueName) -> usize {
        if self.lines.get(self.last).is_some_and(|line| line.queue == *queue) {
            return self.last;
        }
        let found = self.by_queue.get(queue).copied();
        self.last = found.unwrap_or_else(|| {
            let line = Line { queue: queue.clone(), jobs: StateCounts::default(), tally: None };
            self.lines.push(line);
            self.by_queue.insert(queue.clone(), self.lines.len() - 1);
            self.lines.len() - 1
        });
        self.last
    }

    /// Counts moves that happened together.
    pub fn note<'a>(&mut self, moves: impl Iterator<Item = Move<'a>>, now: Timestamp) {
        self.roll(now);
        for moved in moves {
            let line = self.line(moved.queue);
            let Line { jobs, tally, .. } = &mut self.lines[line];
            tally.get_or_insert_default().note(&moved);
            let running = &mut self.running[moved.lane.index()];
            for (state, delta) in [(moved.from, -1), (moved.to, 1)] {
                let Some(state) = state else { continue };
                *jobs.of(state) += delta;
                if state == State::Running {
                    *running += delta;
                }
            }
        }
    }

    /// Closes the stretch that is over.
    pub fn roll(&mut self, now: Timestamp) {
        let begins = stretch_of(now);
        if begins > self.began_at {
            self.close();
            self.began_at = begins;
        }
    }

    /// Closes the stretch that goes on, over or not: the server goes down.
    pub fn close(&mut self) {
        let active = self.lines.iter_mut().filter_map(|line| {
            let mut tally = *line.tally.take()?;
            tally.stands(&line.jobs);
            Some((line.queue.clone(), tally))
        });
        let mut queues: Vec<(QueueName, Tally)> = active.collect();
        if queues.is_empty() {
            return;
        }
        let all = self.all_of(queues.iter().map(|(_, tally)| tally));
        if queues.len() > MAX_QUEUES_KEPT {
            queues
                .select_nth_unstable_by_key(MAX_QUEUES_KEPT, |(_, tally)| Reverse(tally.events()));
            queues.truncate(MAX_QUEUES_KEPT);
        }
        if self.closed.len() >= POINTS && self.writing == 0 {
            self.closed.remove(0);
        }
        self.closed.push(Arc::new(Stretch { began_at: self.began_at, queues, all }));
    }

    fn all_of<'a>(&self, tallies: impl Iterator<Item = &'a Tally>) -> Tally {
        let mut all = Tally::default();
        tallies.for_each(|tally| all.add(tally));
        all.stands(&self.jobs());
        all
    }

    /// The jobs of all queues.
    fn jobs(&self) -> StateCounts {
        let mut all = StateCounts::default();
        for line in &self.lines {
            let mut jobs = line.jobs;
            State::ALL.into_iter().for_each(|state| *all.of(state) += *jobs.of(state));
        }
        all
    }

    /// Some of the stretches that are over and neither on disk nor being written, oldest first. They
    /// count as being written until [`Tallies::written`] or [`Tallies::unwritten`] tells of them:
    /// what is written twice would count twice.
    pub fn write_some(&mut self) -> Vec<Arc<Stretch>> {
        let some = self.closed.iter().skip(self.writing).take(WRITTEN_AT_ONCE);
        let some: Vec<_> = some.cloned().collect();
        self.writing += some.len();
        some
    }

    /// The first so many of those that are being written are on disk.
    pub fn written(&mut self, count: usize) {
        self.closed.drain(..count);
        self.writing -= count;
    }

    /// The last so many of those that are being written could not be, and are to be again.
    pub fn unwritten(&mut self, count: usize) {
        self.writing -= count;
    }

    /// How many jobs each queue has, by state.
    pub fn queues(&self) -> Vec<(QueueName, StateCounts)> {
        self.lines.iter().map(|line| (line.queue.clone(), line.jobs)).collect()
    }

    /// How a queue stands, or all together, and what is not on disk yet.
    pub fn snapshot(&mut self, queue: Option<&QueueName>, now: Timestamp) -> Snapshot {
        self.roll(now);
        let line = queue.map(|queue| self.by_queue.get(queue).map(|line| &self.lines[*line]));
        let jobs = match line {
            None => self.jobs(),
            Some(line) => line.map(|line| line.jobs).unwrap_or_default(),
        };
        let of_stretch = |stretch: &Arc<Stretch>| match queue {
            None => Some(stretch.all.clone()),
            Some(queue) => {
                let mut queues = stretch.queues.iter();
                queues.find(|(name, _)| name == queue).map(|(_, tally)| tally.clone())
            }
        };
        let closed = self.closed.iter();
        let closed = closed.filter_map(|stretch| Some((stretch.began_at, of_stretch(stretch)?)));
        let mut tallies: Vec<_> = closed.collect();
        let mut current = match line {
            None => self.all_of(self.lines.iter().filter_map(|line| line.tally.as_deref())),
            Some(line) => line.and_then(|line| line.tally.as_deref()).cloned().unwrap_or_default(),
        };
        current.stands(&jobs);
        tallies.push((self.began_at, current));
        Snapshot { jobs, running: self.running, tallies }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Span;

    fn name(text: &str) -> QueueName {
        text.parse().unwrap()
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + secs * 1_000)
    }

    fn moved<'a>(queue: &'a QueueName, from: Option<State>, to: Option<State>) -> Move<'a> {
        Move { queue, lane: Lane::Async, from, to, took: Some(Span::from_millis(8)) }
    }

    #[test]
    fn what_happens_is_counted_by_queue_and_all_together() {
        let (mail, bulk) = (name("mail"), name("bulk"));
        let mut tallies = Tallies::new(at(0), Vec::new(), 0);
        let moves = [
            moved(&mail, None, Some(State::Queued)),
            moved(&mail, Some(State::Queued), Some(State::Running)),
            moved(&mail, Some(State::Running), Some(State::Completed)),
            moved(&bulk, None, Some(State::Scheduled)),
            moved(&bulk, None, Some(State::Queued)),
            moved(&bulk, Some(State::Queued), Some(State::Running)),
        ];
        tallies.note(moves.into_iter(), at(1));
        let all = tallies.snapshot(None, at(2));
        assert_eq!((all.jobs.completed, all.jobs.scheduled, all.jobs.running), (1, 1, 1));
        assert_eq!(all.running, [1, 0, 0, 0]);
        let [(began_at, tally)] = all.tallies.try_into().unwrap();
        assert_eq!(began_at, at(0));
        assert_eq!((tally.submitted, tally.started, tally.completed), (3, 2, 1));
        assert_eq!((tally.waiting, tally.running), (1, 1));
        assert_eq!((tally.start.quantile(0.5), tally.run.quantile(0.5)), (Some(8), Some(8)));
        let of_mail = tallies.snapshot(Some(&mail), at(2));
        assert_eq!((of_mail.jobs.completed, of_mail.tallies[0].1.submitted), (1, 1));
        let of_none = tallies.snapshot(Some(&name("other")), at(2));
        assert_eq!((of_none.jobs, of_none.tallies.len()), (StateCounts::default(), 1));
    }

    #[test]
    fn a_stretch_that_is_over_is_kept_until_it_is_on_disk() {
        let mail = name("mail");
        let mut tallies = Tallies::new(at(0), vec![(mail.clone(), StateCounts::default())], 0);
        tallies.note([moved(&mail, None, Some(State::Queued))].into_iter(), at(9));
        tallies.note([moved(&mail, None, Some(State::Queued))].into_iter(), at(10));
        let closed = tallies.write_some();
        let [stretch] = closed.as_slice() else { panic!("not one is closed") };
        assert_eq!((stretch.began_at, stretch.all.submitted, stretch.all.waiting), (at(0), 1, 1));
        assert!(tallies.write_some().is_empty(), "it is being written");
        tallies.unwritten(1);
        assert_eq!(tallies.write_some(), closed);
        let shown = tallies.snapshot(None, at(10)).tallies;
        assert_eq!(shown.iter().map(|(_, tally)| tally.submitted).collect::<Vec<_>>(), [1, 1]);
        tallies.roll(at(20));
        tallies.written(1);
        // Where nothing happens, nothing is to be written.
        tallies.roll(at(30));
        let rest = tallies.write_some();
        assert_eq!(rest.iter().map(|stretch| stretch.began_at).collect::<Vec<_>>(), [at(10)]);
        assert!(tallies.write_some().is_empty());
    }

    #[test]
    fn of_many_queues_those_are_kept_in_which_most_happened() {
        let queues: Vec<QueueName> =
            (0..MAX_QUEUES_KEPT + 5).map(|n| name(&n.to_string())).collect();
        let mut tallies = Tallies::new(at(0), Vec::new(), 0);
        for queue in queues.iter().chain(&queues[5..]) {
            tallies.note([moved(queue, None, Some(State::Queued))].into_iter(), at(1));
        }
        tallies.close();
        let stretch = &tallies.write_some()[0];
        assert_eq!(stretch.queues.len(), MAX_QUEUES_KEPT);
        assert!(stretch.queues.iter().all(|(_, tally)| tally.submitted == 2));
        assert_eq!(stretch.all.submitted, 2 * MAX_QUEUES_KEPT as u64 + 5);
    }

    #[test]
    fn jobs_that_were_there_before_count_as_standing_and_not_as_submitted() {
        let mail = name("mail");
        let jobs = StateCounts { queued: 5, completed: 7, ..StateCounts::default() };
        let mut tallies = Tallies::new(at(0), vec![(mail.clone(), jobs)], 2);
        let snapshot = tallies.snapshot(Some(&mail), at(1));
        assert_eq!((snapshot.jobs, snapshot.running[Lane::Remote.index()]), (jobs, 2));
        assert_eq!((snapshot.tallies[0].1.submitted, snapshot.tallies[0].1.waiting), (0, 5));
        tallies.note([moved(&mail, Some(State::Completed), None)].into_iter(), at(2));
        assert_eq!(tallies.snapshot(None, at(2)).jobs.completed, 6);
    }
}
