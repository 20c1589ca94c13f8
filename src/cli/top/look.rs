//! What the server looks like at one moment.

use crate::cli::client::{Client, JobFilter};
use crate::cli::error::CliError;
use crate::job::queue::Queue;
use crate::job::stats::Point;
use crate::job::{Job, State, Stats};

/// How many jobs are asked for: more than a screen shows.
const MOST_JOBS: u64 = 200;

/// Which jobs are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum List {
    /// Those that run.
    #[default]
    Running,
    /// Those that failed, the latest first.
    Failed,
}

impl List {
    /// The state of its jobs.
    pub(super) fn state(self) -> State {
        match self {
            Self::Running => State::Running,
            Self::Failed => State::Failed,
        }
    }
}

/// All that is shown, as it was when it was asked for.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) stats: Stats,
    pub(super) queues: Vec<Queue>,
    pub(super) list: List,
    pub(super) jobs: Vec<Job>,
}

/// How many jobs a second came and went of late.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    pub(super) submitted: f64,
    pub(super) ended: f64,
}

impl Look {
    /// Asks the server.
    pub(super) async fn take(client: &Client, list: List) -> Result<Self, CliError> {
        let filter = JobFilter {
            state: Some(list.state().as_str()),
            limit: MOST_JOBS,
            ..JobFilter::default()
        };
        Ok(Self {
            stats: client.stats().await?.value,
            queues: client.queues().await?.value.queues,
            list,
            jobs: client.list(&filter).await?.jobs,
        })
    }

    /// The rates of the point that is going on and the one before: none is whole enough alone.
    pub(super) fn rates(&self) -> Option<Rates> {
        let [.., before, last] = self.stats.points.as_slice() else { return None };
        let covered = self.stats.step.duration() + self.stats.at.since(last.at);
        let secs = covered.as_secs_f64().max(1.0);
        Some(Rates {
            submitted: (before.submitted + last.submitted) as f64 / secs,
            ended: (ended(before) + ended(last)) as f64 / secs,
        })
    }

    /// What `count` says of each stretch of the last hour, with as many stretches as are asked for.
    pub(super) fn chart(&self, width: usize, count: impl Fn(&Point) -> u64) -> Vec<u64> {
        let points = &self.stats.points;
        let size = points.len().div_ceil(width.max(1)).max(1);
        // From the end, so that the stretch that is not whole is the oldest.
        let mut sums: Vec<u64> =
            points.rchunks(size).map(|stretch| stretch.iter().map(&count).sum()).collect();
        sums.reverse();
        sums
    }
}

/// How many jobs ended in a point, in whatever way.
pub(super) fn ended(point: &Point) -> u64 {
    point.completed + point.failed + point.cancelled
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::sample;
    use crate::job::lane::Lane;
    use crate::job::stats::{LaneLoad, Latency, STEP};
    use crate::job::{JobError, Progress, Timestamp};

    /// Two queues, three jobs, a minute of points.
    pub(in crate::cli::top) fn look() -> Look {
        let began: Timestamp = "2030-01-31T12:00:00.000Z".parse().unwrap();
        let latency = Latency { p50_ms: Some(3), p99_ms: Some(1_240) };
        let none = Latency::default();
        let point = |index: u64| Point {
            at: began.plus(Duration::from_secs(index * 10)),
            submitted: 10 * index,
            started: 0,
            completed: 5 * index,
            failed: 1,
            cancelled: 0,
            retried: 0,
            waiting: 2,
            running: 1,
            start: none,
            run: none,
        };
        let mut running = sample::job(17);
        running.progress = Some(Progress::new(42.0, "page 5 of 12"));
        let mut stops = sample::job(18);
        stops.cancel_requested = true;
        let load = |lane, workers, busy| LaneLoad { lane, workers, busy };
        Look {
            stats: Stats {
                at: began.plus(Duration::from_secs(55)),
                queue: None,
                jobs: sample::batch().counts,
                lanes: vec![
                    load(Lane::Async, Some(64), 16),
                    load(Lane::Thread, Some(2), 0),
                    load(Lane::Process, Some(2), 2),
                    load(Lane::Remote, None, 7),
                ],
                step: STEP,
                points: (0..6).map(point).collect(),
                start: latency,
                run: none,
            },
            queues: vec![sample::queue("bulk"), sample::queue("mail")],
            list: List::Running,
            jobs: vec![running, stops, sample::job(19)],
        }
    }

    /// The same with jobs that failed.
    pub(in crate::cli::top) fn failed() -> Look {
        let mut job = sample::job(11);
        job.state = State::Failed;
        job.finished_at = Some("2030-01-31T12:00:25.000Z".parse().unwrap());
        job.error = Some(JobError::new("timeout", "too\nslow"));
        Look { list: List::Failed, jobs: vec![job], ..look() }
    }

    #[test]
    fn the_rates_are_those_of_the_last_points() {
        // 40 and 50 in the 10 s that are whole and the 5 s that are not.
        assert_eq!(look().rates(), Some(Rates { submitted: 6.0, ended: 47.0 / 15.0 }));
    }

    #[test]
    fn a_chart_adds_up_stretches_from_the_end() {
        let chart = |width| look().chart(width, |point| point.submitted);
        assert_eq!(chart(6), [0, 10, 20, 30, 40, 50]);
        assert_eq!(chart(4), [10, 50, 90]);
        assert_eq!(chart(100).len(), 6);
        assert_eq!(chart(0), [150]);
    }
}
