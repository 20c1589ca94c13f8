//! Kills the server every two seconds while limits hold jobs back: a start grants nothing anew. What the
//! limits allow is counted at the other side, by the server that the jobs call.

mod other_side;

use std::time::{Duration, Instant};

use longshore::job::Timestamp;
use serde_json::{Value, json};

use crate::fault_row::FaultRow;
use crate::kit::{Server, Setup, eventually, with};
use crate::repeated_faults::assert_verified;
use other_side::OtherSide;

const UPTIME: Duration = Duration::from_secs(2);
const PERIOD: Duration = Duration::from_secs(12);
const MAX_STARTS: usize = 3;
const MAX_RUNNING: usize = 5;

/// Number of jobs in the queue with a rate. They have the first ids.
const RATED_JOBS: i64 = 100;

/// By how much longer the first of several calls may take to arrive than the last one, on a busy machine.
const DELAY: Duration = Duration::from_millis(500);

#[test]
fn limits_hold_while_the_server_is_killed_again_and_again() {
    let what =
        "SIGKILL every 2 s while a rate and max_running of a queue and a provider hold jobs back";
    let Some(mut row) = FaultRow::start("limits", what, (15, 30, "seconds")) else { return };
    let target = OtherSide::start();
    let mut server = start(&target);
    submit(&server, &target);
    let (started, mut kills) = (Instant::now(), 0);
    while started.elapsed() < Duration::from_secs(row.times.into()) {
        std::thread::sleep(UPTIME);
        server.kill();
        server.restart();
        kills += 1;
    }
    eventually("a start in the second period", || {
        (target.arrivals().len() > MAX_STARTS).then_some(())
    });
    let arrivals = target.arrivals();
    let closest = arrivals.windows(MAX_STARTS + 1).map(|starts| starts[MAX_STARTS] - starts[0]);
    let closest = closest.min().unwrap();
    assert!(closest + DELAY >= PERIOD, "four calls within {closest:?}: {arrivals:?}");
    let starts = starts(&server);
    let closest_starts = starts.windows(MAX_STARTS + 1).map(|four| four[MAX_STARTS].since(four[0]));
    assert!(closest_starts.min().unwrap() >= PERIOD, "{starts:?}");
    assert!(starts.len() >= arrivals.len(), "{starts:?} {arrivals:?}");
    assert_eq!(target.peak("/few"), MAX_RUNNING, "calls at once of a queue");
    assert_eq!(target.peak("/v1/chat/completions"), MAX_RUNNING, "calls at once of a provider");
    server.kill();
    assert_verified(server.database());
    row.count("kills", kills);
    row.count("starts with a rate of 3 per 12 s", starts.len());
    row.count("calls of them", arrivals.len());
    row.time("closest four calls", closest);
    row.count("most calls at once", MAX_RUNNING);
    row.held();
}

/// Returns the times at which the server started attempts of the queue with a rate, in order.
fn starts(server: &Server) -> Vec<Timestamp> {
    let mut starts = Vec::new();
    for id in 1..=RATED_JOBS {
        for attempt in server.job(id)["attempts"].as_array().unwrap() {
            starts.push(attempt["started_at"].as_str().unwrap().parse().unwrap());
        }
    }
    starts.sort_unstable();
    starts
}

fn start(target: &OtherSide) -> Server {
    let config = format!(
        "[queues.rated]\nrate = {{ limit = {MAX_STARTS}, period = '{}s' }}\n\
         [queues.few]\nmax_running = {MAX_RUNNING}\n\
         [providers.one]\nbase_url = '{}'\nmax_running = {MAX_RUNNING}\n",
        PERIOD.as_secs(),
        target.url("/v1"),
    );
    Setup::new().config(config).start()
}

/// Submits more jobs than can run, which are never retried too often.
fn submit(server: &Server, target: &OtherSide) {
    let fields = json!({"max_attempts": 100, "backoff": {"initial": "10ms", "max": "10ms"}});
    let http = |queue: &str| {
        let payload = json!({"method": "GET", "url": target.url(&format!("/{queue}"))});
        with(json!({"kind": "http", "queue": queue, "payload": payload}), &fields)
    };
    let messages = json!([{"role": "user", "content": "?"}]);
    let payload = json!({"model": "m", "messages": messages});
    let chat = with(json!({"kind": "chat", "payload": payload}), &fields);
    for (job, count) in [(http("rated"), RATED_JOBS), (http("few"), 500), (chat, 500)] {
        let jobs: Vec<Value> = vec![job; usize::try_from(count).unwrap()];
        server.post("/v1/jobs", &json!(jobs)).expect(202);
    }
}
