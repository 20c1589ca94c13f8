//! Tests of the Worker alone: jobs in, writes out.

use std::time::Duration;

use actix::Addr;

use super::*;
use crate::actor::test_kit::{FakeWriter, leased_job};
use crate::actor::vital::Fatal;
use crate::config::Config;
use crate::executor::{Context as JobContext, Handler as JobHandler, HandlerError, StopReason};
use crate::job::JobId;
use crate::job::lease::{Lease, LeaseToken};

/// Starts a worker whose registry has these kinds besides the built-in ones: `panic`, `logs`,
/// `forever` and `blocking`.
fn start() -> (Addr<Worker>, FakeWriter) {
    let mut registry = Registry::new(&Config::default()).unwrap();
    let panic = |_: JobContext, _: i64| async {
        if true {
            panic!("out of luck");
        }
        Ok::<i64, HandlerError>(0)
    };
    let logs = |context: JobContext, payload: i64| async move {
        context.log("the last line");
        Ok::<_, HandlerError>(payload)
    };
    let forever =
        |_: JobContext, _: i64| async { std::future::pending::<Result<i64, HandlerError>>().await };
    let blocking = |_: JobContext, payload: i64| Ok::<_, HandlerError>(payload + 1);
    registry.add_handler("panic", JobHandler::new(panic)).unwrap();
    registry.add_handler("logs", JobHandler::new(logs)).unwrap();
    registry.add_handler("forever", JobHandler::new(forever)).unwrap();
    registry.add_handler("blocking", JobHandler::blocking(blocking)).unwrap();
    let (writer, handle) = FakeWriter::start();
    let fatal = Fatal::new();
    fatal.expect_stop();
    let vital = Vital::new("worker", &fatal);
    let worker = Worker::new(Arc::new(registry), handle, Arc::default(), vital).start();
    (worker, writer)
}

/// Waits for the next write, which must be the outcome of an attempt.
async fn finished(writer: &mut FakeWriter) -> (Lease, Outcome) {
    let commit = writer.next().await;
    let Write::Finish(finish) = commit.write else { panic!("{:?}", commit.write) };
    let Reply::Worker { lease, .. } = commit.reply else { panic!("no worker waits") };
    assert_eq!(lease, finish.lease);
    (lease, finish.outcome)
}

fn code(outcome: &Outcome) -> &str {
    let Outcome::Failed { error, .. } = outcome else { panic!("{outcome:?}") };
    &error.code
}

#[actix_web::test]
async fn a_job_of_an_unknown_kind_and_one_that_panics_fail_and_the_worker_continues() {
    let (worker, mut writer) = start();
    for (id, kind, expected) in [(1, "nothing", "unknown_kind"), (2, "panic", "panic")] {
        worker.send(Run(leased_job(id, kind))).await.unwrap();
        let (lease, outcome) = finished(&mut writer).await;
        assert_eq!((lease.job, code(&outcome)), (JobId(id), expected));
    }
    for (id, kind, expected) in [(3, "echo", "1"), (4, "blocking", "2")] {
        worker.send(Run(leased_job(id, kind))).await.unwrap();
        let (_, outcome) = finished(&mut writer).await;
        let Outcome::Completed(result) = outcome else { panic!("{outcome:?}") };
        assert_eq!(result.json.as_str(), expected);
    }
}

#[actix_web::test]
async fn the_last_log_lines_are_written_before_the_outcome() {
    let (worker, mut writer) = start();
    worker.send(Run(leased_job(1, "logs"))).await.unwrap();
    let commit = writer.next().await;
    let Write::Log(lines) = commit.write else { panic!("{:?}", commit.write) };
    assert_eq!(lines.log.text, "the last line\n");
    assert!(matches!(finished(&mut writer).await.1, Outcome::Completed(_)));
}

#[actix_web::test]
async fn a_stop_ends_the_attempt_that_it_names_and_no_other() {
    let (worker, mut writer) = start();
    let job = leased_job(1, "forever");
    worker.send(Run(job.clone())).await.unwrap();
    let earlier = Lease { token: LeaseToken(0), ..job.lease };
    worker.send(Stop { lease: earlier, reason: StopReason::Shutdown }).await.unwrap();
    worker.send(Stop { lease: job.lease, reason: StopReason::Cancelled }).await.unwrap();
    let (lease, outcome) = finished(&mut writer).await;
    assert!(matches!(outcome, Outcome::Cancelled(_)) && lease == job.lease, "{outcome:?}");
    // A stop that arrives after the end has no effect on the next attempt.
    worker.send(Stop { lease: job.lease, reason: StopReason::Cancelled }).await.unwrap();
    worker.send(Run(leased_job(2, "echo"))).await.unwrap();
    assert!(matches!(finished(&mut writer).await.1, Outcome::Completed(_)));
}

#[actix_web::test]
async fn an_attempt_that_reaches_its_deadline_fails_with_timeout() {
    let (worker, mut writer) = start();
    let timeout = crate::job::Span::new(Duration::from_millis(1));
    worker.send(Run(LeasedJob { timeout, ..leased_job(1, "forever") })).await.unwrap();
    assert_eq!(code(&finished(&mut writer).await.1), "timeout");
}

#[test]
fn each_end_of_an_attempt_has_an_outcome() {
    let job = leased_job(1, "echo");
    let codes = [
        (AttemptEnd::UnknownKind, "unknown_kind"),
        (AttemptEnd::Panicked(Box::new("text")), "panic"),
        (AttemptEnd::ThreadDied, "panic"),
        (AttemptEnd::StuckAfterStop(StopReason::Timeout), "timeout"),
    ];
    for (end, expected) in codes {
        assert_eq!(code(&end.classify(&job)), expected);
    }
    let released = AttemptEnd::StuckAfterStop(StopReason::Shutdown).classify(&job);
    assert!(matches!(released, Outcome::Released), "{released:?}");
}
