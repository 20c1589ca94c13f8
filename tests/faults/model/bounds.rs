//! How large the worlds are that are gone through.

use super::row::Report;

/// How large a world is.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    /// Most attempts of a job, and whether it may run once only.
    pub(super) jobs: Vec<(u32, bool)>,
    pub(super) workers: u8,
    /// How often a job may be leased, and retried by hand.
    pub(super) leases: u8,
    pub(super) retries: u8,
    /// How often the server may be restored from a backup.
    pub(super) copies: u8,
    /// How many messages may be under way at once.
    pub(super) in_flight: usize,
    /// What a worker may report.
    pub(super) reports: Vec<Report>,
}

impl Bounds {
    /// Worlds in which a job is leased so many times: in those of a long run, more than twice, more
    /// is under way as well.
    pub(super) fn of(leases: u8) -> Vec<Self> {
        let mut bounds = Self::short();
        if leases <= 2 {
            return bounds;
        }
        let [_, crowded, once, copied] = &mut bounds[..] else { unreachable!("there are four") };
        crowded.reports.push(Report::Fail { retryable: false });
        (crowded.leases, once.leases) = (leases, leases);
        (once.in_flight, copied.in_flight) = (2, 2);
        let pair = vec![(2, false), (2, true)];
        let pair = Self { jobs: pair, leases: 2, in_flight: 1, ..crowded.clone() };
        bounds.push(pair);
        bounds
    }

    /// Those of every test run: small ones first, in which most of what is broken is found.
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
