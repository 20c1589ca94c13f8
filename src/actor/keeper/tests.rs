//! Tests of the Keeper alone: messages in, messages and writes out. Only the duty `stage` is started;
//! a message runs any other duty by its name.

use std::collections::HashSet;

use actix::{Addr, Message};
use tempfile::TempDir;

use super::prune_hold::ClockJump;
use super::*;
use crate::actor::key_usage::KeyBounds;
use crate::actor::message::WriteError;
use crate::actor::reader::Reader;
use crate::actor::test_kit::{FakeWriter, Received, answer, at, probe, submit, temporary};
use crate::actor::vital::Fatal;
use crate::auth::api_key::{ApiKey, StoredKey};
use crate::auth::key_id::KeyId;
use crate::auth::scope::Scopes;
use crate::auth::secret::KeySecret;
use crate::auth::token::Signer;
use crate::config::{KeyLimits, Limits};
use crate::job::{Change, JobId, Lane, State};
use crate::metrics::recorder::Recorder;
use crate::store::sqlite::{SqliteReads, SqliteWrites};
use crate::store::{Answer, MOVE_AT_ONCE, MoveSummary, StoredKeys, WriteStore};

/// Runs the duty with this name.
#[derive(Message)]
#[rtype(result = "()")]
struct RunDuty(&'static str);

impl Handler<RunDuty> for Keeper {
    type Result = ();

    fn handle(&mut self, RunDuty(name): RunDuty, ctx: &mut Self::Context) {
        DUTIES.iter().find(|duty| duty.name == name).unwrap().run(self, ctx);
    }
}

/// A Keeper and everything that it sends messages to. Its Reader reads a real database.
struct Fixture {
    keeper: Addr<Keeper>,
    writer: FakeWriter,
    clock: Clock,
    recorder: SharedRecorder,
    prune_hold: PruneHold,
    keyring: Arc<Keyring>,
    lease_checks: Received<MaintainLeases>,
    sweeps: Received<Sweep>,
    _directory: TempDir,
}

/// Starts a Keeper that keeps final jobs for an hour, on a database with these writes at time 0.
fn start(writes: &[&Write]) -> Fixture {
    start_after(None, writes)
}

/// As [`start`], with pruning held after a jump of the clock.
fn start_after(jump: Option<ClockJump>, writes: &[&Write]) -> Fixture {
    let (directory, config) = temporary();
    SqliteWrites::open(&config).unwrap().commit(writes, at(0)).unwrap();
    let fatal = Fatal::new();
    fatal.expect_stop();
    let clock = Clock::manual(at(0));
    let reads = Box::new(SqliteReads::open(&config).unwrap());
    let reader = Reader::new(reads, clock.clone(), Vital::new("reader", &fatal)).start();
    let (writer, handle) = FakeWriter::start();
    let ((maintain_leases, lease_checks), (sweep, sweeps)) = (probe(), probe());
    let recorder = SharedRecorder::new(Recorder::new(at(0), Vec::new(), 0));
    let keyring = Arc::new(Keyring::new(
        &StoredKeys::default(),
        Signer::new([1; 32]),
        KeyBounds::new(&KeyLimits::default(), &Limits::default()),
    ));
    let peers = Peers {
        writer: handle,
        prunable: reader.clone().recipient(),
        backend: reader.recipient(),
        backend_duties: &[],
        maintain_leases,
        sweep,
        recorder: recorder.clone(),
        keyring: Arc::clone(&keyring),
    };
    let vital = Vital::new("keeper", &fatal);
    let prune_hold = PruneHold::new(jump);
    let retention = Span::from_secs(3_600);
    let keeper =
        Keeper::new(peers, clock.clone(), (retention, prune_hold.clone()), [1; Lane::COUNT], vital);
    let keeper = Keeper { duties: &DUTIES[..1], ..keeper }.start();
    Fixture {
        keeper,
        writer,
        clock,
        recorder,
        prune_hold,
        keyring,
        lease_checks,
        sweeps,
        _directory: directory,
    }
}

#[actix_web::test]
async fn the_last_uses_of_keys_are_stored_once_and_again_after_a_failure() {
    let mut fixture = start(&[]);
    let secret = KeySecret::from_random([1; 32]);
    let key = ApiKey {
        id: KeyId(7),
        name: "a".parse().unwrap(),
        scopes: Scopes::ADMIN,
        queues: Vec::new(),
        created_at: at(0),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    fixture.keyring.add(&StoredKey { key, digest: secret.digest() });
    fixture.finish_first_staging().await;
    fixture.run_duty("store_key_uses").await;
    assert_eq!(fixture.writer.pending(), 0);
    fixture.keyring.find(secret.reveal(), at(5)).unwrap();
    for result in [Err(WriteError::Full), Ok(Answer::Done)] {
        fixture.run_duty("store_key_uses").await;
        let commit = fixture.writer.next().await;
        let Write::TouchKeys(uses) = &commit.write else { panic!("{:?}", commit.write) };
        assert_eq!(*uses, [(KeyId(7), at(5))]);
        fixture.answer(commit, result).await;
    }
    fixture.run_duty("store_key_uses").await;
    assert_eq!(fixture.writer.pending(), 0);
}

fn moved(count: u32, next_at: Option<Timestamp>) -> WriteResult {
    Ok(Answer::Moved(MoveSummary { count: count as usize, next_at }))
}

impl Fixture {
    async fn run_duty(&self, name: &'static str) {
        self.keeper.send(RunDuty(name)).await.unwrap();
    }

    /// Answers a write, and waits until the Keeper has handled the answer.
    async fn answer(&mut self, commit: Commit, result: WriteResult) {
        answer(commit, result);
        self.run_duty("sweep").await;
        self.sweeps.next().await;
    }

    /// Waits for the next write, which must be a staging.
    async fn next_staging(&mut self) -> Commit {
        let commit = self.writer.next().await;
        assert!(matches!(commit.write, Write::Stage { .. }), "{:?}", commit.write);
        commit
    }

    /// Waits for the staging at the start, and answers that no job waits for its time.
    async fn finish_first_staging(&mut self) {
        let first = self.next_staging().await;
        self.answer(first, moved(0, None)).await;
    }
}

#[test]
fn each_duty_is_listed_once() {
    let names: HashSet<_> = DUTIES.iter().map(|duty| duty.name).collect();
    assert_eq!(names.len(), DUTIES.len());
}

#[actix_web::test]
async fn jobs_are_staged_at_the_start_and_whenever_the_next_one_is_due() {
    let mut fixture = start(&[]);
    let first = fixture.next_staging().await;
    // More jobs are due already.
    fixture.answer(first, moved(MOVE_AT_ONCE, Some(at(0)))).await;
    let second = fixture.next_staging().await;
    fixture.answer(second, moved(0, None)).await;
    assert_eq!(fixture.writer.pending(), 0);
    // A new job is due now, long before the next staging.
    fixture.keeper.send(DueAt(at(0))).await.unwrap();
    fixture.next_staging().await;
}

#[actix_web::test]
async fn a_full_chunk_of_expired_jobs_is_followed_by_the_next() {
    let mut fixture = start(&[]);
    fixture.finish_first_staging().await;
    fixture.run_duty("expire").await;
    for count in [MOVE_AT_ONCE, MOVE_AT_ONCE - 1] {
        let commit = fixture.writer.next().await;
        assert!(matches!(commit.write, Write::Expire { .. }), "{:?}", commit.write);
        fixture.answer(commit, moved(count, None)).await;
    }
    fixture.run_duty("maintain_leases").await;
    fixture.lease_checks.next().await;
    assert_eq!(fixture.writer.pending(), 0);
}

#[actix_web::test]
async fn only_final_jobs_older_than_the_retention_are_pruned() {
    let jobs = [submit(Lane::Async), submit(Lane::Async), Write::Cancel(JobId(1))];
    let mut fixture = start(&jobs.iter().collect::<Vec<_>>());
    fixture.finish_first_staging().await;
    // A pass that starts before the retention is over finds no old job.
    fixture.clock.advance(Duration::from_secs(3_600));
    fixture.run_duty("prune").await;
    fixture.clock.advance(Duration::from_secs(1));
    fixture.run_duty("prune").await;
    let commit = fixture.writer.next().await;
    let Write::Prune { jobs, finished_before } = &commit.write else {
        panic!("{:?}", commit.write)
    };
    assert_eq!((jobs.as_slice(), *finished_before), (&[JobId(1)][..], at(1)));
    assert_eq!(fixture.writer.pending(), 0);
}

#[actix_web::test]
async fn held_pruning_deletes_nothing_and_records_no_activity_until_it_is_confirmed() {
    let jobs = [submit(Lane::Async), Write::Cancel(JobId(1))];
    let jump = ClockJump { last_activity_at: at(0), started_at: at(400 * 24 * 3_600_000) };
    let mut fixture = start_after(Some(jump), &jobs.iter().collect::<Vec<_>>());
    fixture.finish_first_staging().await;
    fixture.clock.advance(Duration::from_secs(400 * 24 * 3_600));
    fixture.run_duty("prune").await;
    fixture.run_duty("record_activity").await;
    fixture.run_duty("sweep").await;
    fixture.sweeps.next().await;
    assert_eq!(fixture.writer.pending(), 0);
    assert!(fixture.prune_hold.release() && !fixture.prune_hold.release());
    assert!(matches!(fixture.writer.next().await.write, Write::RecordActivity));
    let commit = fixture.writer.next().await;
    assert!(matches!(commit.write, Write::Prune { .. }), "{:?}", commit.write);
    fixture.run_duty("record_activity").await;
    assert!(matches!(fixture.writer.next().await.write, Write::RecordActivity));
}

#[actix_web::test]
async fn time_buckets_that_could_not_be_written_are_written_later() {
    let mut fixture = start(&[]);
    fixture.finish_first_staging().await;
    let change = Change {
        provider: None,
        key: None,
        job: JobId(1),
        queue: "default".parse().unwrap(),
        lane: Lane::Async,
        remote_kind: None,
        from_queue: None,
        failed: None,
        batch: None,
        from: None,
        to: Some(State::Queued),
        due_at: None,
        took: None,
    };
    fixture.recorder.with(|recorder| recorder.record(&[change], at(0)));
    fixture.clock.advance(STEP.duration());
    for result in [Err(WriteError::Full), Ok(Answer::Done)] {
        fixture.run_duty("write_time_buckets").await;
        let commit = fixture.writer.next().await;
        let Write::TimeBuckets(buckets) = &commit.write else { panic!("{:?}", commit.write) };
        assert_eq!(buckets.len(), 1);
        fixture.answer(commit, result).await;
    }
    fixture.run_duty("write_time_buckets").await;
    assert_eq!(fixture.writer.pending(), 0, "a bucket that is on disk was written again");
}
