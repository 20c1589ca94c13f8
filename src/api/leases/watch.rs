//! Watches of leases: what a remote worker sends and receives.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::api::leases::report::LeaseReport;
use crate::api::problem::EntryProblem;
use crate::job::lease::{Lease, LeaseState, LeaseToken};
use crate::job::problem::{Problem, first_entries};
use crate::job::time::Span;
use crate::job::{JobId, Json};

/// Maximum number of leases that one request watches.
pub const MAX_WATCHED: usize = 1_000;

/// Number of entries that are kept of a list: one more than allowed, so that a longer list is seen.
const KEPT_ENTRIES: usize = MAX_WATCHED + 1;

/// Request of a remote worker to be notified when it should stop one of its jobs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with the fields leases and wait")]
pub struct WatchLeasesRequest {
    /// Leases to watch, 1 to [`MAX_WATCHED`] objects with `id` and `lease_token`. An entry that cannot be
    /// read is reported by itself.
    #[serde(deserialize_with = "first_entries::<_, _, KEPT_ENTRIES>")]
    pub leases: Vec<Json>,
    /// Maximum time to wait; zero by default.
    #[serde(default)]
    pub wait: Option<Span>,
}

/// A [`WatchLeasesRequest`] that is valid.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CheckedWatchLeasesRequest {
    /// Leases to watch, each once.
    pub leases: Vec<Lease>,
    /// Entries that cannot be read.
    pub unreadable: Vec<UnreadableLease>,
    /// Maximum time to wait.
    pub wait: Duration,
}

/// An entry that is not a lease.
#[derive(Debug, Clone, PartialEq)]
pub struct UnreadableLease {
    /// Id of the job, if it could be read.
    pub job: Option<JobId>,
    /// Fencing token, if it could be read.
    pub token: Option<LeaseToken>,
    /// Problems of the entry, with JSON pointers in the request.
    pub problems: Vec<Problem>,
}

impl WatchLeasesRequest {
    /// Validates the request. `max_wait` is the longest `wait` that is accepted.
    ///
    /// # Errors
    /// Returns all problems, each with the JSON pointer of its field. An entry of the list that cannot be
    /// read is no error.
    pub fn check(self, max_wait: Duration) -> Result<CheckedWatchLeasesRequest, Vec<Problem>> {
        let mut problems = Vec::new();
        if !(1..=MAX_WATCHED).contains(&self.leases.len()) {
            let why = format!("must have 1 to {MAX_WATCHED} leases");
            problems.push(Problem::new("/leases", why));
        }
        let wait = self.wait.unwrap_or_default().duration();
        if wait > max_wait {
            let why = format!("must be at most {}", Span::new(max_wait));
            problems.push(Problem::new("/wait", why));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut checked = CheckedWatchLeasesRequest { wait, ..Default::default() };
        for (index, entry) in self.leases.iter().enumerate() {
            match read_lease(index, entry) {
                Ok(lease) => checked.leases.push(lease),
                Err(unreadable) => checked.unreadable.push(unreadable),
            }
        }
        checked.leases.sort_unstable_by_key(|lease| (lease.job, lease.token));
        checked.leases.dedup();
        Ok(checked)
    }
}

/// Reads an entry as leniently as a report: an id may be a text, and further fields are ignored.
fn read_lease(index: usize, entry: &Json) -> Result<Lease, UnreadableLease> {
    let report =
        LeaseReport::read(entry.as_str().as_bytes()).unwrap_or_else(LeaseReport::unreadable);
    if let (Some(job), Some(token)) = (report.id, report.lease_token) {
        return Ok(Lease { job, token });
    }
    let why = "must be an object with the whole numbers id and lease_token";
    let problems = vec![Problem::new(format!("/leases/{index}"), why)];
    Err(UnreadableLease { job: report.id, token: report.lease_token, problems })
}

/// Response to a [`WatchLeasesRequest`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WatchedLeases {
    /// Leases whose jobs the worker should stop; empty if there were none in time.
    pub leases: Vec<WatchedLeaseView>,
}

/// A lease whose job the worker should stop.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WatchedLeaseView {
    /// Id of the job; `null` if it could not be read.
    pub id: Option<JobId>,
    /// Fencing token of the lease; `null` if it could not be read.
    pub lease_token: Option<LeaseToken>,
    /// `true` if the job was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel: Option<bool>,
    /// `true` if the worker does not hold the lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale: Option<bool>,
    /// Why the entry could not be read.
    #[serde(flatten)]
    pub problem: Option<EntryProblem>,
}

impl WatchedLeaseView {
    /// Returns the entry for a lease; `None` if the worker holds it and should go on.
    pub fn of(lease: Lease, state: LeaseState) -> Option<Self> {
        let (cancel, stale) = match state {
            LeaseState::Held => return None,
            LeaseState::CancelRequested => (Some(true), None),
            LeaseState::Stale => (None, Some(true)),
        };
        let (id, lease_token) = (Some(lease.job), Some(lease.token));
        Some(Self { id, lease_token, cancel, stale, problem: None })
    }

    /// Returns the entry for one that could not be read, which is no lease that the worker holds.
    pub fn unreadable(entry: &UnreadableLease, problem: EntryProblem) -> Self {
        Self {
            id: entry.job,
            lease_token: entry.token,
            cancel: None,
            stale: Some(true),
            problem: Some(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::problem::parse_json;

    fn check(text: &str) -> Result<CheckedWatchLeasesRequest, Vec<Problem>> {
        let request: WatchLeasesRequest = parse_json(text.as_bytes()).unwrap();
        request.check(Duration::from_secs(60))
    }

    #[test]
    fn a_repeated_lease_is_watched_once_and_other_fields_are_ignored() {
        let request = check(
            r#"{"leases": [{"id": 2, "lease_token": 1}, {"id": "1", "lease_token": 3, "kind": "x"},
                {"lease_token": 1, "id": 2}, {"id": 2, "lease_token": 2}], "wait": 5}"#,
        );
        let request = request.unwrap();
        let leases: Vec<_> =
            request.leases.iter().map(|lease| (lease.job.0, lease.token.0)).collect();
        assert_eq!(leases, [(1, 3), (2, 1), (2, 2)]);
        assert_eq!((request.wait, request.unreadable.len()), (Duration::from_secs(5), 0));
    }

    #[test]
    fn an_entry_that_is_no_lease_is_kept_apart_from_its_neighbours() {
        let request =
            check(r#"{"leases": [{"id": 1, "lease_token": 1}, {"id": 7}, {"id": "x"}, 5, null]}"#);
        let request = request.unwrap();
        assert_eq!((request.leases.len(), request.unreadable.len()), (1, 4));
        assert_eq!(request.unreadable[0].job, Some(JobId(7)));
        assert_eq!(request.unreadable[3].problems[0].pointer, "/leases/4");
    }

    #[test]
    fn a_request_watches_a_bounded_number_of_leases_for_a_bounded_time() {
        let many = |count| {
            let list = vec![r#"{"id": 1, "lease_token": 1}"#; count].join(",");
            check(&format!(r#"{{"leases": [{list}]}}"#))
        };
        assert!(many(1).is_ok() && many(MAX_WATCHED).is_ok());
        for wrong in [many(0), many(MAX_WATCHED + 1), many(3 * MAX_WATCHED)] {
            assert_eq!(wrong.unwrap_err()[0].pointer, "/leases");
        }
        let wrong = check(r#"{"leases": [], "wait": "61s"}"#).unwrap_err();
        let pointers: Vec<&str> = wrong.iter().map(|problem| &*problem.pointer).collect();
        assert_eq!(pointers, ["/leases", "/wait"]);
    }
}
