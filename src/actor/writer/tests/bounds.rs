//! Commit groups that are bounded by bytes.

use super::*;
use crate::job::lease::{Lease, LeaseToken};
use crate::job::log::MAX_LOG_BYTES;
use crate::job::outcome::JobError;
use crate::job::{AttemptDetail, Log};
use crate::store::{LogLines, RescueScope, Submit};

/// Number of writes in a test.
const NUMBER: i64 = 200;

/// A submission of one job with a payload of this size, in the lane `remote`.
fn submit_bytes(bytes: usize) -> Write {
    let Write::Submit(Submit { jobs, .. }) = submit(Lane::Remote) else { unreachable!() };
    let mut job = jobs[0].clone();
    job.payload = Json::of(&"x".repeat(bytes)).unwrap();
    Write::Submit(Submit { jobs: [job].into(), key: None, batch: None })
}

#[actix_web::test]
async fn a_finish_that_arrived_before_a_rescue_is_written_before_it() {
    let mut fixture = start().await;
    let jobs = fixture.wait_for_jobs(1, false).await;
    let _submitted = fixture.send(submit(Lane::Remote));
    let job = soon(jobs).await.unwrap().unwrap().remove(0);
    assert_eq!(fixture.next_group().await, ["submit", "lease"]);
    // The lease of 10 s expires before the next group, to which the finish and then the rescue arrive.
    fixture.fail_next(Fault::Slow(Duration::from_secs(11)));
    assert!(soon(fixture.send(Write::Cancel(JobId(99)))).await.unwrap().is_err());
    assert_eq!(fixture.next_group().await, ["cancel"]);
    // The group is full before the finish, which is too heavy to overtake others.
    let _large = fixture.send(submit_bytes(MAX_GROUP_BYTES));
    let outcome = Outcome::Completed(JobResult::whole(Json::of(&"x".repeat(6_000)).unwrap()));
    let (lease, holder) = (job.lease, Holder::Remote(None));
    let finish = Finish { lease, outcome, holder, location: None, started_at: None };
    let finished = fixture.send(Write::Finish(finish));
    let rescue = Write::Rescue { scope: RescueScope::expired_now(), limit: 1 };
    let rescued = fixture.send(rescue);
    assert!(matches!(soon(finished).await.unwrap(), Ok(Answer::Finished(_))));
    let Ok(Answer::Moved(moved)) = soon(rescued).await.unwrap() else { panic!("no answer") };
    assert_eq!(moved.count, 0);
    assert_eq!(fixture.next_group().await, ["submit"]);
    assert_eq!(fixture.next_group().await, ["finish", "rescue"]);
}

fn lease(job: i64) -> Lease {
    Lease { job: JobId(job), token: LeaseToken(1) }
}

/// Lines of a whole log, under a lease that nobody holds.
fn log(job: i64) -> Write {
    let log = Log::new("x".repeat(MAX_LOG_BYTES));
    Write::Log(LogLines { lease: lease(job), holder: Holder::Local, log })
}

/// A failure with as much detail, under a lease that nobody holds.
fn failure(job: i64) -> Write {
    let error = JobError::new("code", "message");
    let result = Some("x".repeat(MAX_LOG_BYTES));
    let detail = AttemptDetail { result, ..AttemptDetail::default() }.boxed();
    let outcome = Outcome::Failed { error, retryable: true, retry_in: None, detail };
    let (lease, holder) = (lease(job), Holder::Remote(None));
    Write::Finish(Finish { lease, outcome, holder, location: None, started_at: None })
}

impl Fixture {
    /// Waits for the next transaction, checks its size, and returns the jobs of its log lines and finishes.
    async fn next_bounded_group(&mut self) -> Vec<i64> {
        let group = soon(self.groups.recv()).await.unwrap();
        let job = |write: &Write| match write {
            Write::Log(lines) => Some(lines.lease.job.0),
            Write::Finish(finish) => Some(finish.lease.job.0),
            _ => None,
        };
        let jobs: Vec<i64> = group.iter().filter_map(job).collect();
        // Each has a text of this size.
        assert!(jobs.len() <= MAX_GROUP_BYTES / MAX_LOG_BYTES + 2, "{} writes", jobs.len());
        jobs
    }
}

#[actix_web::test]
async fn failures_and_log_lines_are_divided_into_groups_of_bounded_size() {
    let mut fixture = start().await;
    let write = |job| if job % 2 == 0 { log(job) } else { failure(job) };
    let _results: Vec<_> = (0..NUMBER).map(|job| fixture.send(write(job))).collect();
    let mut jobs = Vec::new();
    while jobs.len() < NUMBER as usize {
        jobs.extend(fixture.next_bounded_group().await);
    }
    assert_eq!(jobs, (0..NUMBER).collect::<Vec<_>>());
}

#[actix_web::test]
async fn writes_that_are_retried_are_divided_into_groups_and_callers_behind_them_get_an_error() {
    let mut fixture = start().await;
    for _ in 0..3 {
        fixture.fail_next(Fault::Fail(StoreError::Full("no room".into())));
    }
    for job in 0..NUMBER {
        assert!(fixture.handle.commit(Commit { write: log(job), reply: Reply::Discard }));
    }
    let finished = fixture.send(failure(NUMBER - 1));
    assert!(matches!(soon(finished).await.unwrap(), Err(WriteError::Full)));
    for _ in 0..3 {
        assert!(!fixture.next_bounded_group().await.is_empty());
    }
    let mut jobs = Vec::new();
    while jobs.len() < NUMBER as usize {
        jobs.extend(fixture.next_bounded_group().await);
    }
    // Writes for different jobs may change places.
    jobs.sort_unstable();
    assert_eq!(jobs, (0..NUMBER).collect::<Vec<_>>());
}
