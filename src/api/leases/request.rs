//! Requests of remote workers for leases, and their validation.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::job::problem::Problem;
use crate::job::queue::{InvalidName, is_name};
use crate::job::time::Span;
use crate::roster::{LeaseFilter, MAX_LEASE_LIMIT};

/// Range of lease durations that a remote worker may request.
pub const LEASE_RANGE: std::ops::RangeInclusive<Span> =
    Span::from_secs(1)..=Span::from_secs(24 * 3600);
/// Maximum number of queues, and maximum number of kinds, in a lease request.
pub const MAX_NAMES: usize = 100;
/// Maximum length of a worker's name, in bytes.
pub const MAX_WORKER_LEN: usize = 128;

/// Request of a remote worker for jobs. All fields are optional.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "an object with the fields queues, kinds, learn_kinds, limit, lease, wait and worker"
)]
pub struct LeaseJobsRequest {
    /// Queues to lease from; all queues by default.
    pub queues: Option<Vec<String>>,
    /// Kinds of jobs to lease; all kinds by default.
    pub kinds: Option<Vec<String>>,
    /// Whether `kinds` become known, so that submissions need not name the lane; true by default.
    pub learn_kinds: Option<bool>,
    /// Maximum number of jobs to lease, 1 to 1,000 (`roster::MAX_LEASE_LIMIT`); 1 by default.
    pub limit: Option<u32>,
    /// Duration of the leases, within [`LEASE_RANGE`]; by default the configured duration.
    pub lease: Option<Span>,
    /// Maximum time to wait for a job if there is none; zero by default.
    pub wait: Option<Span>,
    /// Name of the worker, shown to people.
    pub worker: Option<String>,
}

/// A [`LeaseJobsRequest`] that is valid, with the defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedLeaseJobsRequest {
    /// Queues and kinds that the worker accepts.
    pub filter: LeaseFilter,
    /// Whether the kinds become known.
    pub learn_kinds: bool,
    /// Maximum number of jobs to lease.
    pub limit: u32,
    /// Duration of the leases.
    pub lease: Span,
    /// Maximum time to wait for a job; zero for a request that does not wait.
    pub wait: Duration,
    /// Name of the worker, shown to people.
    pub worker: Option<String>,
}

impl LeaseJobsRequest {
    /// Validates the request and fills in the defaults. `default_lease` is the duration of the leases
    /// if the request does not set one, and `max_wait` is the longest `wait` that is accepted.
    ///
    /// # Errors
    /// Returns all problems, each with the JSON pointer of its field.
    pub fn check(
        self,
        default_lease: Span,
        max_wait: Duration,
    ) -> Result<CheckedLeaseJobsRequest, Vec<Problem>> {
        let mut problems = Vec::new();
        let limit = self.limit.unwrap_or(1);
        if !(1..=MAX_LEASE_LIMIT).contains(&limit) {
            problems
                .push(Problem::new("/limit", format!("must be between 1 and {MAX_LEASE_LIMIT}")));
        }
        let lease = self.lease.unwrap_or(default_lease);
        check_lease(lease, &mut problems);
        let wait = self.wait.unwrap_or_default().duration();
        if wait > max_wait {
            problems
                .push(Problem::new("/wait", format!("must be at most {}", Span::new(max_wait))));
        }
        if self.worker.as_ref().is_some_and(|worker| !is_worker_name(worker)) {
            let why = format!("must be 1 to {MAX_WORKER_LEN} bytes without control characters");
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
            learn_kinds: self.learn_kinds.unwrap_or(true),
            limit,
            lease,
            wait,
            worker: self.worker,
        })
    }
}

fn is_worker_name(name: &str) -> bool {
    (1..=MAX_WORKER_LEN).contains(&name.len()) && !name.chars().any(char::is_control)
}

fn check_lease(lease: Span, problems: &mut Vec<Problem>) {
    if !LEASE_RANGE.contains(&lease) {
        let (least, most) = LEASE_RANGE.into_inner();
        problems.push(Problem::new("/lease", format!("must be between {least} and {most}")));
    }
}

fn check_names(pointer: &str, names: Option<&[String]>, problems: &mut Vec<Problem>) {
    let Some(names) = names else { return };
    if !(1..=MAX_NAMES).contains(&names.len()) {
        let why = format!("must list 1 to {MAX_NAMES} names; omit the field for all");
        problems.push(Problem::new(pointer, why));
        return;
    }
    let invalid = names.iter().enumerate().filter(|(_, name)| !is_name(name));
    problems
        .extend(invalid.map(|(index, _)| Problem::new(format!("{pointer}/{index}"), InvalidName)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::problem::parse_json;

    fn pointers<T: std::fmt::Debug>(checked: Result<T, Vec<Problem>>) -> Vec<String> {
        checked.unwrap_err().into_iter().map(|problem| problem.pointer).collect()
    }

    fn check(text: &str) -> Result<CheckedLeaseJobsRequest, Vec<Problem>> {
        let request: LeaseJobsRequest = parse_json(text.as_bytes()).unwrap();
        request.check(Span::from_secs(300), Duration::from_secs(60))
    }

    #[test]
    fn an_empty_request_leases_one_job_of_any_kind_and_does_not_wait() {
        let request = check("{}").unwrap();
        assert_eq!(
            (request.limit, request.wait, request.filter),
            (1, Duration::ZERO, LeaseFilter::default())
        );
        assert_eq!(request.lease, Span::from_secs(300));
    }

    #[test]
    fn every_problem_of_a_request_is_reported_with_its_pointer() {
        let text = r#"{"queues": [], "kinds": ["a", "B"], "limit": 1001, "lease": "1ms", "wait": "61s", "worker": ""}"#;
        let expected = ["/limit", "/lease", "/wait", "/worker", "/queues", "/kinds/1"];
        assert_eq!(pointers(check(text)), expected);
    }

    #[test]
    fn the_same_names_in_another_order_make_the_same_filter() {
        let filters = [r#"{"kinds": ["b", "a", "b"]}"#, r#"{"kinds": ["a", "b"]}"#];
        let [first, second] = filters.map(|text| check(text).unwrap().filter);
        assert_eq!(first, second);
    }
}
