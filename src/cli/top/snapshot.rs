//! The state of the server at one time, as the view shows it.

use crate::api::jobs::JobListQuery;
use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::output::show;
use crate::job::queue::Queue;
use crate::job::{Job, JobId, State};
use crate::metrics::Stats;
use crate::metrics::counters::BucketCounts;
use crate::metrics::stats::Point;

/// Maximum number of jobs in a snapshot, more than a screen shows.
const MAX_JOBS: u64 = 200;

/// The jobs that the view lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum JobList {
    /// Running jobs.
    #[default]
    Running,
    /// Failed jobs, newest first.
    Failed,
    /// Queued jobs, newest first.
    Queued,
}

impl JobList {
    /// Returns the state of the listed jobs.
    pub(super) fn state(self) -> State {
        match self {
            Self::Running => State::Running,
            Self::Failed => State::Failed,
            Self::Queued => State::Queued,
        }
    }
}

/// The state of the server, read by several requests one after another.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    /// Statistics of the server.
    pub(super) stats: Stats,
    /// All queues.
    pub(super) queues: Vec<Queue>,
    /// The list that `jobs` belongs to.
    pub(super) list: JobList,
    /// Jobs of the list, newest first.
    pub(super) jobs: Vec<Job>,
    /// What the selected job waits for, if it is queued.
    pub(super) waiting: Option<WaitingJob>,
}

/// What a queued job waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WaitingJob {
    /// Id of the job.
    pub(super) id: JobId,
    /// What it waits for, on one line.
    pub(super) reason: String,
}

impl Snapshot {
    /// Reads the state of the server. If queued jobs are listed, reads what the job `selected` waits
    /// for: a list of jobs does not say it.
    pub(super) async fn read(
        client: &Client,
        list: JobList,
        selected: Option<JobId>,
    ) -> Result<Self, CliError> {
        let filter = JobListQuery {
            state: Some(list.state().as_str()),
            limit: MAX_JOBS,
            ..JobListQuery::default()
        };
        Ok(Self {
            stats: client.stats().await?.value,
            queues: client.queues().await?.value.queues,
            list,
            jobs: client.list(&filter).await?.jobs,
            waiting: match selected.filter(|_| list == JobList::Queued) {
                Some(id) => WaitingJob::read(client, id).await?,
                None => None,
            },
        })
    }

    /// Returns `count` summed over equal ranges of the last hour, with at most `width` ranges.
    pub(super) fn chart(&self, width: usize, count: impl Fn(&BucketCounts) -> u64) -> Vec<u64> {
        let points = &self.stats.points;
        let size = points.len().div_ceil(width.max(1)).max(1);
        // The ranges are formed from the end, so that only the oldest one may be shorter.
        let sum = |range: &[Point]| range.iter().map(|point| count(&point.counts)).sum();
        let mut sums: Vec<u64> = points.rchunks(size).map(sum).collect();
        sums.reverse();
        sums
    }
}

impl WaitingJob {
    /// Reads what a job waits for; `None` if it does not wait any more or was deleted.
    async fn read(client: &Client, id: JobId) -> Result<Option<Self>, CliError> {
        match client.job(id).await {
            Ok(job) => Ok(show::waiting(&job.value).map(|reason| Self { id, reason })),
            Err(CliError::Refused(refusal)) if refusal.problem.status == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::sample;
    use crate::job::lane::Lane;
    use crate::job::{JobError, Progress, Timestamp};
    use crate::metrics::stats::{LaneLoad, Latency};
    use crate::metrics::time_bucket::STEP;

    /// Returns a snapshot with two queues, three jobs and a minute of time buckets.
    pub(in crate::cli::top) fn snapshot() -> Snapshot {
        let start: Timestamp = "2030-01-31T12:00:00.000Z".parse().unwrap();
        let latency = Latency { p50_ms: Some(3), p99_ms: Some(1_240) };
        let point = |index: u64| Point {
            at: start.plus(Duration::from_secs(index * 10)),
            counts: BucketCounts {
                submitted: 10 * index,
                completed: 5 * index,
                failed: 1,
                waiting: 2,
                running: 1,
                ..BucketCounts::default()
            },
            ..Point::default()
        };
        let mut running = sample::job(17);
        running.progress = Some(Progress::new(42.0, "page 5 of 12"));
        let mut cancelling = sample::job(18);
        cancelling.cancel_requested = true;
        let load = |lane, workers, busy| LaneLoad { lane, workers, busy };
        Snapshot {
            stats: Stats {
                at: start.plus(Duration::from_secs(55)),
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
                run: Latency::default(),
            },
            queues: vec![sample::queue("bulk"), sample::queue("mail")],
            list: JobList::Running,
            jobs: vec![running, cancelling, sample::job(19)],
            waiting: None,
        }
    }

    /// Returns the same snapshot with a failed job in place of the running jobs.
    pub(in crate::cli::top) fn failed_snapshot() -> Snapshot {
        let mut job = sample::job(11);
        job.state = State::Failed;
        job.finished_at = Some("2030-01-31T12:00:25.000Z".parse().unwrap());
        job.error = Some(JobError::new("timeout", "too\nslow"));
        Snapshot { list: JobList::Failed, jobs: vec![job], ..snapshot() }
    }

    /// Returns the same snapshot with two queued jobs in place of the running jobs.
    pub(in crate::cli::top) fn queued_snapshot() -> Snapshot {
        let jobs = [21, 20].map(|id| {
            let mut job = sample::job(id);
            job.state = State::Queued;
            job.started_at = None;
            job
        });
        Snapshot { list: JobList::Queued, jobs: jobs.into(), ..snapshot() }
    }

    #[test]
    fn a_chart_sums_ranges_from_the_end() {
        let chart = |width| snapshot().chart(width, |counts| counts.submitted);
        assert_eq!(chart(6), [0, 10, 20, 30, 40, 50]);
        assert_eq!(chart(4), [10, 50, 90]);
        assert_eq!(chart(100).len(), 6);
        assert_eq!(chart(0), [150]);
    }
}
