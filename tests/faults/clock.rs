//! The wall clock of the server is set (L4), by up to a day either way: while it runs nothing moves,
//! and after a restart nothing waits for a day that was not meant to.

mod wall;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use longshore::job::Span;
use serde_json::{Value, json};

use crate::kit::target::Target;
use crate::kit::{Server, Setup, echo, eventually, sleep, with};
use crate::lease_calls::{complete, lease_action, lease_one, remote};
use crate::random::Random;
use crate::row::Row;
use wall::Wall;

const DAY_SECS: i64 = 24 * 3600;
/// To a server that starts by a clock that is ahead, it was down for so long. Less than the 12 hours
/// that an attempt may take here: those that had all their time would be over.
const AHEAD_SECS: i64 = 11 * 3600;
/// The shortest lease of the server's own jobs, so that it is renewed again and again meanwhile.
const CONFIG: &str = "lease = '5s'";
/// What a remote worker is given that goes away.
const SHORT: Duration = Duration::from_secs(1);

/// A time by up to a day either way.
fn step(random: &mut Random) -> i64 {
    i64::try_from(random.below(2 * DAY_SECS.unsigned_abs())).unwrap() - DAY_SECS
}

/// A server that fails every call once, and asks to be called again in two seconds.
fn moody() -> Target {
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

/// Checks a job that nothing should have troubled.
fn is_untroubled(job: &Value, state: &str) {
    let failures = job["failures"].as_array().unwrap().len();
    assert_eq!((&job["state"], &job["attempt"], failures), (&json!(state), &json!(1), 0), "{job}");
}

/// A remote worker's lease that nobody will renew.
struct Left {
    lease: Value,
    granted: Instant,
}

impl Left {
    fn leave(server: &Server) -> Self {
        let id = server.submit(&remote("left"));
        let granted = Instant::now();
        let lease = lease_one(server, &json!({"lease": Span::new(SHORT).to_string()}));
        assert_eq!(lease["id"], id, "another job was in front");
        Self { lease, granted }
    }

    /// The job comes to another worker, not before its time; the first finishes in vain.
    fn comes_back(self, server: &Server) {
        let next = lease_one(server, &json!({"lease": "60s"}));
        assert!(self.granted.elapsed() >= SHORT, "rescued too early: {next}");
        assert_eq!((&next["id"], &next["attempt"]), (&self.lease["id"], &json!(2)), "{next}");
        complete(server, &self.lease, "late").problem(409);
        complete(server, &next, "in time").expect(200);
        assert_eq!(server.job(next["id"].as_i64().unwrap())["result"], "in time");
    }
}

#[test]
fn nothing_moves_with_a_wall_clock_that_is_set() {
    let what = "the wall clock is set by up to a day while jobs run";
    let Some(mut row) = Row::begin("L4", what, (10, 1_000, "steps")) else { return };
    let Some(wall) = Wall::find() else { return row.skip("there is no libfaketime") };
    let server = wall.fake(Setup::new().config(CONFIG)).start();
    let target = moody();
    let (mut random, seed) = Random::of_this_run();
    // Both last as long as this may.
    let whole_day = json!({"timeout": "24h"});
    let here = server.submit(&with(sleep("12h"), &whole_day));
    server.reaches(here, "running");
    server.submit(&with(remote("held"), &whole_day));
    let held = lease_one(&server, &json!({"lease": "60s"}));
    let mut rescued = 0;
    for number in 0..row.times {
        // What takes a while, every now and then.
        let slow = number % 5 == 0;
        let left = slow.then(|| Left::leave(&server));
        let retrying = slow.then(|| server.submit(&call(&target, &format!("/{number}"))));
        let sleeping = server.submit(&sleep("100ms"));
        let delayed = server.submit(&with(echo(number), &json!({"delay": "100ms"})));
        wall.set(step(&mut random));
        if slow {
            eventually("the server sees the other time", || wall.is_seen(&server).then_some(()));
        }
        is_untroubled(&server.finished(sleeping), "completed");
        is_untroubled(&server.finished(delayed), "completed");
        let renewed = lease_action(&server, &held, "renew", &json!({"lease": "60s"})).expect(200);
        assert_eq!(renewed["cancel"], false);
        if let (Some(left), Some(retrying)) = (left, retrying) {
            left.comes_back(&server);
            rescued += 1;
            let job = server.finished(retrying);
            assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(2)), "{job}");
        }
    }
    is_untroubled(&server.job(here), "running");
    complete(&server, &held, 1).expect(200);
    row.count("seed", seed);
    row.count("rescued in their time", rescued);
    row.count("late finishes refused", rescued);
    row.count("violations", 0);
    row.held();
}

#[test]
fn nothing_waits_for_a_day_though_the_server_starts_again_in_another() {
    let what = "the server starts again by a clock that was set";
    let Some(mut row) = Row::begin("L4", what, (2, 50, "starts")) else { return };
    let Some(wall) = Wall::find() else { return row.skip("there is no libfaketime") };
    let target = moody();
    let mut longest = Duration::ZERO;
    for number in 0..row.times {
        wall.set(0);
        let mut server = wall.fake(Setup::new().config(CONFIG)).start();
        let here = server.submit(&sleep("12h"));
        server.reaches(here, "running");
        let retrying = server.submit(&call(&target, &format!("/{number}")));
        server.reaches(retrying, "retrying");
        let held = server.submit(&remote("held"));
        let held = (held, lease_one(&server, &json!({"lease": "60s"})));
        let left = Left::leave(&server);
        server.kill();
        wall.set(if number % 2 == 0 { -DAY_SECS } else { AHEAD_SECS });
        server.start_again();
        let began = Instant::now();
        lease_action(&server, &held.1, "renew", &json!({"lease": "60s"})).expect(200);
        left.comes_back(&server);
        let job = server.finished(retrying);
        assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(2)), "{job}");
        assert_eq!(server.reaches(here, "running")["attempt"], 2);
        longest = longest.max(began.elapsed());
        complete(&server, &held.1, 1).expect(200);
        is_untroubled(&server.job(held.0), "completed");
    }
    row.time("all went on within", longest);
    row.held();
}
