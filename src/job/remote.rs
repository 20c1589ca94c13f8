//! What remote workers ask for and tell, and the checks of it.

mod lease_report;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::job::problem::Problem;
use crate::job::queue::{NotAName, is_name};
use crate::job::roster::{LeaseFilter, MAX_LEASE_LIMIT};
use crate::job::time::Span;

pub use lease_report::{
    CheckedLeaseAction, CheckedLeaseReport, LeaseAction, LeaseReport, ReportedError,
    ReportedProgress,
};

/// The range of leases that remote workers may ask for.
pub const LEASES: std::ops::RangeInclusive<Span> = Span::from_secs(1)..=Span::from_secs(24 * 3600);
/// The most queues, and the most kinds, that one call names.
pub const MAX_NAMES: usize = 100;
/// The longest name of a worker, in bytes.
pub const MAX_WORKER_LEN: usize = 128;

/// A remote worker's call for jobs. All may be left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeaseJobsRequest {
    /// From which queues; all if left out.
    pub queues: Option<Vec<String>>,
    /// Of which kinds; all if left out.
    pub kinds: Option<Vec<String>>,
    /// How many jobs at most, 1 to [`MAX_LEASE_LIMIT`]; 1 if left out.
    pub limit: Option<u32>,
    /// How long the leases last, one of [`LEASES`]; as configured if left out.
    pub lease: Option<Span>,
    /// How long to wait until there is a job; not at all if left out.
    pub wait: Option<Span>,
    /// What the worker calls itself, for people.
    pub worker: Option<String>,
}

/// A call that passed every check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedLeaseJobsRequest {
    /// What it takes.
    pub filter: LeaseFilter,
    /// How many jobs at most.
    pub limit: u32,
    /// How long the leases last.
    pub lease: Span,
    /// How long to wait until there is a job.
    pub wait: Duration,
    /// What the worker calls itself.
    pub worker: Option<String>,
}

impl LeaseJobsRequest {
    /// Checks a call, and fills in what is left out.
    ///
    /// # Errors
    /// Every problem found, each with its place.
    pub fn check(
        self,
        lease: Span,
        max_wait: Duration,
    ) -> Result<CheckedLeaseJobsRequest, Vec<Problem>> {
        let mut problems = Vec::new();
        let limit = self.limit.unwrap_or(1);
        if !(1..=MAX_LEASE_LIMIT).contains(&limit) {
            problems.push(Problem::new("/limit", format!("lies between 1 and {MAX_LEASE_LIMIT}")));
        }
        let lease = self.lease.unwrap_or(lease);
        check_lease(lease, &mut problems);
        let wait = self.wait.unwrap_or_default().duration();
        if wait > max_wait {
            problems.push(Problem::new("/wait", format!("is at most {}", Span::new(max_wait))));
        }
        if self.worker.as_ref().is_some_and(|worker| !is_worker(worker)) {
            let why = format!("is 1 to {MAX_WORKER_LEN} bytes without control characters");
            problems.push(Problem::new("/worker", why));
        }
        check_names("/queues", self.queues.as_deref(), &mut problems);
        check_names("/kinds", self.kinds.as_deref(), &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let queues = self.queues.map(|names| names.iter().flat_map(|name| name.parse()).collect());
        Ok(CheckedLeaseJobsRequest {
            filter: LeaseFilter::new(queues, self.kinds),
            limit,
            lease,
            wait,
            worker: self.worker,
        })
    }
}

fn is_worker(name: &str) -> bool {
    (1..=MAX_WORKER_LEN).contains(&name.len()) && !name.chars().any(char::is_control)
}

fn check_lease(lease: Span, problems: &mut Vec<Problem>) {
    if !LEASES.contains(&lease) {
        let (least, most) = LEASES.into_inner();
        problems.push(Problem::new("/lease", format!("lies between {least} and {most}")));
    }
}

fn check_names(place: &str, names: Option<&[String]>, problems: &mut Vec<Problem>) {
    let Some(names) = names else { return };
    if !(1..=MAX_NAMES).contains(&names.len()) {
        problems.push(Problem::new(place, format!("names 1 to {MAX_NAMES}; for all leave it out")));
        return;
    }
    let wrong = names.iter().enumerate().filter(|(_, name)| !is_name(name));
    problems.extend(wrong.map(|(index, _)| Problem::new(format!("{place}/{index}"), NotAName)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::problem::parse_json;

    fn places<T: std::fmt::Debug>(checked: Result<T, Vec<Problem>>) -> Vec<String> {
        checked.unwrap_err().into_iter().map(|problem| problem.pointer).collect()
    }

    fn call(text: &str) -> Result<CheckedLeaseJobsRequest, Vec<Problem>> {
        let call: LeaseJobsRequest = parse_json(text.as_bytes()).unwrap();
        call.check(Span::from_secs(300), Duration::from_secs(60))
    }

    #[test]
    fn a_bare_call_takes_one_job_of_any_kind_and_does_not_wait() {
        let call = call("{}").unwrap();
        assert_eq!(
            (call.limit, call.wait, call.filter),
            (1, Duration::ZERO, LeaseFilter::default())
        );
        assert_eq!(call.lease, Span::from_secs(300));
    }

    #[test]
    fn every_problem_of_a_call_is_told_with_its_place() {
        let text = r#"{"queues": [], "kinds": ["a", "B"], "limit": 1001, "lease": "1ms", "wait": "61s", "worker": ""}"#;
        let expected = ["/limit", "/lease", "/wait", "/worker", "/queues", "/kinds/1"];
        assert_eq!(places(call(text)), expected);
    }

    #[test]
    fn the_same_wishes_in_another_order_are_one() {
        let filters = [r#"{"kinds": ["b", "a", "b"]}"#, r#"{"kinds": ["a", "b"]}"#];
        let [first, second] = filters.map(|text| call(text).unwrap().filter);
        assert_eq!(first, second);
    }
}
