//! Changes the wall clock of the server by up to a day forwards or backwards (L4). While the server
//! runs, the change must affect nothing. After a restart, no job may wait longer than it should.

mod wall_clock;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use longshore::job::Span;
use serde_json::{Value, json};

use crate::fault_row::FaultRow;
use crate::kit::http::Target;
use crate::kit::leases::lease_action;
use crate::kit::{Server, Setup, echo, eventually, sleep, with};
use crate::leases::calls::{complete, lease_one, remote};
use crate::random::Random;
use wall_clock::WallClock;

const DAY_SECS: i64 = 24 * 3600;
/// Offset of a clock that is ahead at a start.
///
/// To the server it looks as if it was down for this time. The offset is shorter than the 12 hours
/// that an attempt may take in this test; an attempt whose time is over would have failed.
const AHEAD_SECS: i64 = 11 * 3600;
/// Configuration with the shortest lease for the server's own jobs, so that it is renewed often.
const CONFIG: &str = "lease = '5s'";
/// Length of the lease of a remote worker that abandons its job.
const SHORT_LEASE: Duration = Duration::from_secs(1);

/// Returns a random offset of up to a day forwards or backwards.
fn random_offset(random: &mut Random) -> i64 {
    i64::try_from(random.below(2 * DAY_SECS.unsigned_abs())).unwrap() - DAY_SECS
}

/// Starts a server that answers the first call of each path with 503 and `Retry-After: 2`.
fn flaky_target() -> Target {
    let called = Mutex::new(BTreeSet::new());
    Target::start(move |caller, request| {
        let is_first = called.lock().unwrap().insert(request.path);
        if is_first {
            caller.answer("503 Busy", "retry-after: 2\r\n", "");
        } else {
            caller.answer("200 OK", "", "1");
        }
    })
}

fn call(target: &Target, path: &str) -> Value {
    json!({"kind": "http", "payload": {"url": target.url(path)}})
}

/// Asserts that a job is in this state and in its first attempt, without a failure.
fn assert_undisturbed(job: &Value, state: &str) {
    let failures = job["failures"].as_array().unwrap().len();
    assert_eq!((&job["state"], &job["attempt"], failures), (&json!(state), &json!(1), 0), "{job}");
}

/// Lease of a remote worker that does not renew it.
struct AbandonedLease {
    lease: Value,
    granted: Instant,
}

impl AbandonedLease {
    fn take(server: &Server) -> Self {
        let id = server.submit(&remote("abandoned"));
        let granted = Instant::now();
        let lease = lease_one(server, &json!({"lease": Span::new(SHORT_LEASE).to_string()}));
        assert_eq!(lease["id"], id, "another job was leased");
        Self { lease, granted }
    }

    /// Asserts that the job is leased to another worker, but not before the lease has expired, and
    /// that a finish of the first worker is refused.
    fn assert_rescued(self, server: &Server) {
        let next = lease_one(server, &json!({"lease": "60s"}));
        assert!(self.granted.elapsed() >= SHORT_LEASE, "rescued too early: {next}");
        assert_eq!((&next["id"], &next["attempt"]), (&self.lease["id"], &json!(2)), "{next}");
        complete(server, &self.lease, "late").problem(409);
        complete(server, &next, "in time").expect(200);
        assert_eq!(server.job(next["id"].as_i64().unwrap())["result"], "in time");
    }
}

#[test]
fn a_changed_wall_clock_affects_nothing_while_the_server_runs() {
    let what = "the wall clock is changed by up to a day while jobs run";
    let Some(mut row) = FaultRow::start("L4", what, (10, 1_000, "steps")) else { return };
    let Some(clock) = WallClock::find() else { return row.skip("libfaketime is not installed") };
    let server = clock.fake(Setup::new().config(CONFIG)).start();
    let target = flaky_target();
    let mut random = row.random();
    // Both jobs may run for longer than the longest test.
    let whole_day = json!({"timeout": "24h"});
    let local = server.submit(&with(sleep("12h"), &whole_day));
    server.wait_for_state(local, "running");
    server.submit(&with(remote("held"), &whole_day));
    let held = lease_one(&server, &json!({"lease": "60s"}));
    let mut rescued = 0;
    for number in 0..row.times {
        // The checks that take seconds are part of every fifth step only.
        let is_slow = number % 5 == 0;
        let abandoned = is_slow.then(|| AbandonedLease::take(&server));
        let retrying = is_slow.then(|| server.submit(&call(&target, &format!("/{number}"))));
        let sleeping = server.submit(&sleep("100ms"));
        let delayed = server.submit(&with(echo(number), &json!({"delay": "100ms"})));
        clock.set(random_offset(&mut random));
        if is_slow {
            eventually("the server sees the changed clock", || {
                clock.is_seen(&server).then_some(())
            });
        }
        assert_undisturbed(&server.wait_until_final(sleeping), "completed");
        assert_undisturbed(&server.wait_until_final(delayed), "completed");
        let renewed = lease_action(&server, &held, "renew", &json!({"lease": "60s"})).expect(200);
        assert_eq!(renewed["cancel"], false);
        if let (Some(abandoned), Some(retrying)) = (abandoned, retrying) {
            abandoned.assert_rescued(&server);
            rescued += 1;
            let job = server.wait_until_final(retrying);
            assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(2)), "{job}");
        }
    }
    assert_undisturbed(&server.job(local), "running");
    complete(&server, &held, 1).expect(200);
    row.count("rescued in their time", rescued);
    row.count("late finishes refused", rescued);
    row.count("violations", 0);
    row.held();
}

#[test]
fn no_job_waits_for_a_day_after_a_restart_with_a_changed_clock() {
    let what = "the server starts again with a clock that was changed";
    let Some(mut row) = FaultRow::start("L4", what, (2, 50, "starts")) else { return };
    let Some(clock) = WallClock::find() else { return row.skip("libfaketime is not installed") };
    let target = flaky_target();
    let mut longest = Duration::ZERO;
    for number in 0..row.times {
        clock.set(0);
        let mut server = clock.fake(Setup::new().config(CONFIG)).start();
        let local = server.submit(&sleep("12h"));
        server.wait_for_state(local, "running");
        let retrying = server.submit(&call(&target, &format!("/{number}")));
        server.wait_for_state(retrying, "retrying");
        let held = server.submit(&remote("held"));
        let held = (held, lease_one(&server, &json!({"lease": "60s"})));
        let abandoned = AbandonedLease::take(&server);
        server.kill();
        clock.set(if number % 2 == 0 { -DAY_SECS } else { AHEAD_SECS });
        server.restart();
        let started = Instant::now();
        lease_action(&server, &held.1, "renew", &json!({"lease": "60s"})).expect(200);
        abandoned.assert_rescued(&server);
        let job = server.wait_until_final(retrying);
        assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(2)), "{job}");
        assert_eq!(server.wait_for_state(local, "running")["attempt"], 2);
        longest = longest.max(started.elapsed());
        complete(&server, &held.1, 1).expect(200);
        assert_undisturbed(&server.job(held.0), "completed");
    }
    row.time("all continued within", longest);
    row.held();
}
