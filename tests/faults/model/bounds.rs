//! Sizes of the models that are explored.

use super::job_row::Report;

/// Size of a model.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    /// Maximum number of attempts of each job, and whether it is an `at_most_once` job.
    pub(super) jobs: Vec<(u32, bool)>,
    pub(super) workers: u8,
    /// Maximum number of leases of a job.
    pub(super) leases: u8,
    /// Maximum number of retries of a job by hand.
    pub(super) retries: u8,
    /// Maximum number of times that the server is restored from a backup.
    pub(super) copies: u8,
    /// Maximum number of messages in the network at the same time.
    pub(super) in_flight: usize,
    /// Outcomes that a worker may report.
    pub(super) reports: Vec<Report>,
}

impl Bounds {
    /// Returns the models in which a job may be leased `leases` times.
    ///
    /// With more than two leases, as in a long run, more messages may be in the network as well, and
    /// one more model has two jobs.
    pub(super) fn of(leases: u8) -> Vec<Self> {
        let mut bounds = Self::short();
        if leases <= 2 {
            return bounds;
        }
        let [_, crowded, once, copied] = &mut bounds[..] else {
            unreachable!("the short run has four models")
        };
        crowded.reports.push(Report::Fail { retryable: false });
        (crowded.leases, once.leases) = (leases, leases);
        (once.in_flight, copied.in_flight) = (2, 2);
        let pair = vec![(2, false), (2, true)];
        let pair = Self { jobs: pair, leases: 2, in_flight: 1, ..crowded.clone() };
        bounds.push(pair);
        bounds
    }

    /// Returns the models of a short run, the smallest first, in which most broken variants are caught.
    pub(super) fn short() -> Vec<Self> {
        let fail = Report::Fail { retryable: true };
        let reports = [Report::Complete(0), fail, Report::Release, Report::Complete(1)];
        let few = |count| reports.iter().take(count).copied().collect();
        let copied = Self {
            jobs: vec![(2, false)],
            workers: 2,
            leases: 2,
            retries: 1,
            copies: 1,
            in_flight: 1,
            reports: few(3),
        };
        let once = Self { jobs: vec![(2, true)], reports: few(4), ..copied.clone() };
        let crowded = Self { copies: 0, in_flight: 2, reports: few(2), ..copied.clone() };
        vec![Self { copies: 0, ..once.clone() }, crowded, once, copied]
    }
}
