//! Tests of the Writer alone: writes in, answers and messages out, with a real store on a temporary
//! file that fails when a test says so.

mod bounds;
mod ends;
mod health;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use actix::Addr;
use tempfile::TempDir;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use super::*;
use crate::actor::events::publisher::ClientCounts;
use crate::actor::events::shared_recorder::SharedRecorder;
use crate::actor::message::{Announce, Commit, Dispatch, DueAt, LeaseReply, Reply, WriteResult};
use crate::actor::test_kit::{Received, at, probe, soon, submit, temporary};
use crate::actor::vital::Fatal;
use crate::actor::writer::inbox::WriterHandle;
use crate::job::lease::LeasedJob;
use crate::job::outcome::{JobResult, Outcome};
use crate::job::queue::QueueLoad;
use crate::job::{JobId, Json, Lane};
use crate::metrics::recorder::Recorder;
use crate::roster::{LeaseFilter, WaitingWorker};
use crate::store::sqlite::SqliteWrites;
use crate::store::{
    Answer, Committed, Finish, Holder, NewEpoch, ProviderStatus, Refusal, StoreError, Write,
};

/// What happens to a transaction.
enum Fault {
    /// It fails with this error, and nothing is written.
    Fail(StoreError),
    /// It takes this long.
    Slow(Duration),
}

/// A real store whose next transactions have these faults. It sends the writes of each transaction
/// to the test.
struct FaultyStore {
    store: SqliteWrites,
    clock: Clock,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    groups: UnboundedSender<Vec<Write>>,
}

impl WriteStore for FaultyStore {
    fn commit(&mut self, writes: &[&Write], now: Timestamp) -> Result<Committed, StoreError> {
        let _ = self.groups.send(writes.iter().copied().cloned().collect());
        match self.faults.lock().unwrap().pop_front() {
            Some(Fault::Fail(error)) => return Err(error),
            Some(Fault::Slow(span)) => self.clock.advance(span),
            None => {}
        }
        self.store.commit(writes, now)
    }

    fn begin_epoch(
        &mut self,
        is_restored: bool,
        now: Timestamp,
    ) -> Result<Option<NewEpoch>, StoreError> {
        self.store.begin_epoch(is_restored, now)
    }

    fn queue_loads(&mut self) -> Result<Vec<QueueLoad>, StoreError> {
        self.store.queue_loads()
    }

    fn providers(&mut self, now: Timestamp) -> Result<Vec<ProviderStatus>, StoreError> {
        self.store.providers(now)
    }
}

/// A Writer with one local worker in the lane `async`, and everything that it sends messages to.
struct Fixture {
    writer: Addr<Writer>,
    handle: WriterHandle,
    fatal: Fatal,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    groups: UnboundedReceiver<Vec<Write>>,
    dispatched: Received<Dispatch>,
    _announced: Received<Announce>,
    _due: Received<DueAt>,
    _directory: TempDir,
}

async fn start() -> Fixture {
    let (directory, config) = temporary();
    let (clock, fatal) = (Clock::manual(at(0)), Fatal::new());
    let (groups_sender, groups) = mpsc::unbounded_channel();
    let faults = Arc::<Mutex<VecDeque<Fault>>>::default();
    let store = FaultyStore {
        store: SqliteWrites::open(&config).unwrap(),
        clock: clock.clone(),
        faults: Arc::clone(&faults),
        groups: groups_sender,
    };
    let roster = Roster::new([1, 0, 0, 0], Vec::new(), config.queue_rules());
    let recorder = SharedRecorder::new(Recorder::new(at(0), Vec::new(), 0));
    let publisher = Publisher { client_counts: ClientCounts::default(), recorder };
    let inbox = Inbox::default();
    let sender = inbox.sender();
    let vital = Vital::new("writer", &fatal);
    let lease = Span::from_secs(30);
    let writer =
        Writer::new(inbox, Box::new(store), roster, clock, lease, publisher, vital).start();
    let ((dispatch, dispatched), (announce, announced), (due_at, due)) =
        (probe(), probe(), probe());
    writer.send(StartLeasing { dispatch, announce, due_at }).await.unwrap();
    Fixture {
        handle: sender.into_handle(writer.clone().recipient()),
        writer,
        fatal,
        faults,
        groups,
        dispatched,
        _announced: announced,
        _due: due,
        _directory: directory,
    }
}

impl Fixture {
    fn fail_next(&self, fault: Fault) {
        self.faults.lock().unwrap().push_back(fault);
    }

    /// Sends a write, and returns the channel of its result.
    fn send(&self, write: Write) -> oneshot::Receiver<WriteResult> {
        let (reply, result) = Reply::caller(Vec::new());
        assert!(self.handle.commit(Commit { write, reply }));
        result
    }

    /// Waits for the next transaction, and returns the names of its writes.
    async fn next_group(&mut self) -> Vec<&'static str> {
        soon(self.groups.recv()).await.unwrap().iter().map(name).collect()
    }

    /// Waits for the next jobs that are passed to local workers.
    async fn next_leased(&mut self) -> Vec<LeasedJob> {
        loop {
            let dispatch = self.dispatched.next().await;
            if !dispatch.leased.is_empty() {
                return dispatch.leased;
            }
        }
    }

    /// Reports that a job has completed, as its worker does.
    fn complete(&self, job: &LeasedJob) {
        let outcome = Outcome::Completed(JobResult::whole(Json::of(&1).unwrap()));
        let (lease, holder) = (job.lease, Holder::Local);
        let write =
            Write::Finish(Finish { lease, outcome, holder, location: None, started_at: None });
        let payload_bytes = job.payload.as_str().len();
        let (queue, lane) = (job.queue.clone(), job.lane);
        let reply = Reply::Worker { lease, queue, lane, payload_bytes, is_idle: false };
        assert!(self.handle.commit(Commit { write, reply }));
    }

    /// Registers a remote worker that waits for one job.
    async fn wait_for_jobs(&self, id: u64, no_wait: bool) -> oneshot::Receiver<LeaseReply> {
        let (id, filter) = (WaitingWorkerId(id), LeaseFilter::default());
        let waiting_worker = WaitingWorker { id, filter, limit: 1 };
        let (lease_duration, worker) = (Span::from_secs(10), Some("remote".to_owned()));
        let (reply, jobs) = oneshot::channel();
        let add =
            AddWaitingWorker { waiting_worker, no_wait, lease_duration, worker, key: None, reply };
        self.writer.send(add).await.unwrap();
        jobs
    }
}

fn name(write: &Write) -> &'static str {
    match write {
        Write::Submit(_) => "submit",
        Write::Lease(_) => "lease",
        Write::Finish(_) => "finish",
        Write::Renew(_) => "renew",
        Write::Cancel(_) => "cancel",
        Write::Each(_) => "each",
        Write::Probe => "probe",
        Write::Rescue { .. } => "rescue",
        write => panic!("{write:?}"),
    }
}

#[actix_web::test]
async fn writes_that_are_sent_together_share_a_transaction_with_the_leases_that_follow_them() {
    let mut fixture = start().await;
    let refused = fixture.send(Write::Cancel(JobId(99)));
    let submitted = fixture.send(submit(Lane::Async));
    assert_eq!(fixture.next_group().await, ["submit", "cancel", "lease"]);
    let refusal = soon(refused).await.unwrap();
    assert!(matches!(refusal, Err(WriteError::Refused(Refusal::NoJob(JobId(99))))), "{refusal:?}");
    assert!(matches!(soon(submitted).await.unwrap(), Ok(Answer::Submitted(_))));
    let leased = fixture.next_leased().await;
    assert_eq!(leased.iter().map(|job| job.lease.job).collect::<Vec<_>>(), [JobId(1)]);
    // The finish and the lease of the next job share a transaction too.
    let submitted = fixture.send(submit(Lane::Async));
    assert_eq!(fixture.next_group().await, ["submit"]);
    assert!(soon(submitted).await.unwrap().is_ok());
    fixture.complete(&leased[0]);
    assert_eq!(fixture.next_group().await, ["finish", "lease"]);
    assert_eq!(fixture.next_leased().await[0].lease.job, JobId(2));
}

#[actix_web::test]
async fn on_a_full_disk_the_caller_gets_an_error_and_the_outcome_is_written_later() {
    let mut fixture = start().await;
    let _submitted = fixture.send(submit(Lane::Async));
    let job = fixture.next_leased().await.remove(0);
    fixture.next_group().await;
    fixture.fail_next(Fault::Fail(StoreError::Full("no room".into())));
    fixture.complete(&job);
    let submitted = fixture.send(submit(Lane::Async));
    assert_eq!(fixture.next_group().await, ["submit", "finish", "lease"]);
    assert!(matches!(soon(submitted).await.unwrap(), Err(WriteError::Full)));
    // The outcome may fit without the submission, so it is retried at once.
    let retried = fixture.next_group().await;
    assert_eq!(retried[0], "finish");
    assert_eq!(fixture.dispatched.next().await.ended, [job.lease]);
}

#[actix_web::test]
async fn while_nothing_can_be_written_a_probe_finds_out_when_it_works_again() {
    let mut fixture = start().await;
    let failure = |fixture: &Fixture| fixture.handle.write_health().failure();
    assert!(failure(&fixture).is_none());
    for _ in 0..2 {
        fixture.fail_next(Fault::Fail(StoreError::Full("no room".into())));
    }
    let submitted = fixture.send(submit(Lane::Async));
    assert!(matches!(soon(submitted).await.unwrap(), Err(WriteError::Full)));
    assert!(matches!(failure(&fixture), Some(WriteError::Full)));
    assert_eq!(fixture.next_group().await[0], "submit");
    // The first probe fails, the second one does not.
    for is_failed in [true, false] {
        assert_eq!(fixture.next_group().await[0], "probe");
        // A message that changes nothing, to wait until the transaction is over.
        fixture.writer.send(RemoveWaitingWorker(WaitingWorkerId(9))).await.unwrap();
        assert_eq!(failure(&fixture).is_some(), is_failed);
    }
    // A write that changes nothing says nothing about the disk.
    fixture.fail_next(Fault::Fail(StoreError::Full("no room".into())));
    let refused = fixture.send(Write::Cancel(JobId(99)));
    assert!(matches!(soon(refused).await.unwrap(), Err(WriteError::Full)));
    let refused = fixture.send(Write::Cancel(JobId(99)));
    assert!(matches!(soon(refused).await.unwrap(), Err(WriteError::Refused(_))));
    assert!(failure(&fixture).is_some());
}

#[actix_web::test]
async fn after_an_unknown_result_nothing_more_is_written_and_the_server_ends() {
    let mut fixture = start().await;
    fixture.fail_next(Fault::Fail(StoreError::Unknown("the flush failed".into())));
    let first = fixture.send(submit(Lane::Async));
    assert!(matches!(soon(first).await.unwrap(), Err(WriteError::Unknown)));
    let second = fixture.send(Write::Cancel(JobId(1)));
    assert!(matches!(soon(second).await.unwrap(), Err(WriteError::Unknown)));
    let jobs = soon(fixture.wait_for_jobs(1, false).await).await.unwrap();
    assert!(matches!(jobs, Err(WriteError::Unknown)), "{jobs:?}");
    assert_eq!(fixture.next_group().await, ["submit", "lease"]);
    assert!(fixture.groups.try_recv().is_err(), "a later write reached the store");
    assert!(soon(fixture.fatal.raised()).await.contains("the flush failed"));
}

#[actix_web::test]
async fn leases_of_a_slow_transaction_are_renewed_before_other_writes() {
    let mut fixture = start().await;
    fixture.fail_next(Fault::Slow(Duration::from_secs(3)));
    let _submitted = fixture.send(submit(Lane::Async));
    assert_eq!(fixture.next_group().await, ["submit", "lease"]);
    let job = fixture.next_leased().await.remove(0);
    let group = soon(fixture.groups.recv()).await.unwrap();
    let Write::Renew(renew) = &group[0] else { panic!("{group:?}") };
    assert_eq!((&renew.leases, renew.duration), (&vec![job.lease], Some(Span::from_secs(30))));
}

#[actix_web::test]
async fn a_waiting_worker_gets_a_new_job_and_a_job_for_one_that_left_is_released() {
    let mut fixture = start().await;
    let jobs = fixture.wait_for_jobs(1, false).await;
    let _submitted = fixture.send(submit(Lane::Remote));
    assert_eq!(fixture.next_group().await, ["submit", "lease"]);
    assert_eq!(soon(jobs).await.unwrap().unwrap()[0].lease.job, JobId(1));
    drop(fixture.wait_for_jobs(2, false).await);
    // The queue may have more jobs, as far as the roster knows.
    assert_eq!(fixture.next_group().await, ["lease"]);
    let _submitted = fixture.send(submit(Lane::Remote));
    assert_eq!(fixture.next_group().await, ["submit", "lease"]);
    let group = soon(fixture.groups.recv()).await.unwrap();
    let Write::Each(releases) = &group[0] else { panic!("{group:?}") };
    let [Write::Finish(finish)] = releases.as_slice() else { panic!("{releases:?}") };
    assert_eq!(finish.lease.job, JobId(2));
    assert!(matches!(finish.outcome, Outcome::NotStarted));
}

#[actix_web::test]
async fn a_worker_that_does_not_wait_gets_an_empty_answer_at_once() {
    let fixture = start().await;
    let jobs = soon(fixture.wait_for_jobs(1, true).await).await.unwrap().unwrap();
    assert_eq!(jobs, []);
    let (reply, drained) = oneshot::channel();
    let waiting = fixture.wait_for_jobs(2, false).await;
    fixture.writer.send(Drain(reply)).await.unwrap();
    soon(drained).await.unwrap();
    assert_eq!(soon(waiting).await.unwrap().unwrap(), []);
}
