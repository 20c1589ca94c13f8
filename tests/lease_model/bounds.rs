//! How large the worlds are that are gone through.

use crate::row::Report;

/// How large a world is.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// Most attempts of a job, and whether it may run once only.
    pub(crate) jobs: Vec<(u32, bool)>,
    pub(crate) workers: u8,
    /// How often a job may be leased, and retried by hand.
    pub(crate) leases: u8,
    pub(crate) retries: u8,
    /// How often the server may be restored from a backup.
    pub(crate) copies: u8,
    /// How many messages may be under way at once.
    pub(crate) in_flight: usize,
    /// What a worker may report.
    pub(crate) reports: Vec<Report>,
}

impl Bounds {
    /// Those of every run of the tests.
    pub(crate) fn short() -> Vec<Self> {
        let fail = Report::Fail { retryable: true };
        let reports = vec![Report::Complete(0), fail, Report::Release, Report::Complete(1)];
        let copied = Self {
            jobs: vec![(2, false)],
            workers: 2,
            leases: 2,
            retries: 1,
            copies: 1,
            in_flight: 1,
            reports,
        };
        let once = Self { jobs: vec![(2, true)], ..copied.clone() };
        let mut crowded = Self { copies: 0, in_flight: 2, ..copied.clone() };
        crowded.reports.pop();
        vec![Self { copies: 0, ..once.clone() }, crowded, once, copied]
    }

    /// Those of a long run.
    pub(crate) fn long() -> Vec<Self> {
        let mut bounds = Self::short();
        for bounds in &mut bounds {
            bounds.reports.push(Report::Fail { retryable: false });
        }
        let [_, crowded, once, copied] = &mut bounds[..] else { unreachable!("there are four") };
        (once.in_flight, once.leases) = (2, 3);
        crowded.leases = 3;
        copied.in_flight = 2;
        let pair = Self { jobs: vec![(2, false), (2, true)], in_flight: 1, ..crowded.clone() };
        bounds.push(pair);
        bounds
    }
}
