//! Kills the server every second while keys are created, used and revoked: a key that was acknowledged works after
//! each start, and one whose revocation was acknowledged never works again.

mod clients;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use crate::fault_row::FaultRow;
use crate::kit::{Server, Setup};
use crate::repeated_faults::assert_verified;
use clients::{Clients, Secret, State};

/// Time that the server runs between two kills, in milliseconds.
const UPTIME_MS: std::ops::Range<u64> = 500..1_500;

/// Number of keys that are checked after each start: the newest ones.
const CHECKED: usize = 1_000;

/// Number of clients that use the keys.
const USERS: u64 = 2;

#[test]
fn keys_are_neither_lost_nor_revived_when_the_server_is_killed_again_and_again() {
    let what = "SIGKILL every second while keys are created, used and revoked";
    let Some(mut row) = FaultRow::start("keys", what, (10, 300, "kills")) else { return };
    let mut random = row.random();
    let mut server = Setup::new().start();
    let ops = server.post("/v1/keys", &json!({"name": "ops", "scopes": ["admin"]})).expect(201);
    let ops: Secret = ops["secret"].as_str().unwrap().into();
    let clients = Arc::new(Clients::new(server.addr(), ops));
    let seeds: Vec<u64> = (0..=USERS).map(|_| random.below(u64::MAX)).collect();
    let mut threads = vec![clients.start_administrator(seeds[0])];
    threads.extend(seeds[1..].iter().map(|seed| clients.start_user(*seed)));
    for _ in 0..row.times {
        std::thread::sleep(Duration::from_millis(random.within(&UPTIME_MS)));
        server.kill();
        assert_verified(server.database());
        server.restart_at_same_address();
        check_after_start(&server, &clients);
    }
    clients.ends.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    check_after_start(&server, &clients);
    server.kill();
    assert_verified(server.database());
    assert_eq!(*clients.violations.lock().unwrap(), Vec::<String>::new());
    let counts = clients.counts();
    assert!(counts.live > 0 && counts.revoked > 0 && counts.jobs > 0, "{counts:?}");
    row.count("created", counts.created);
    row.count("revoked", counts.revoked);
    row.count("revocations unknown", counts.unknown);
    row.count("jobs", counts.jobs);
    row.count("lost", 0);
    row.count("revived", 0);
    row.held();
}

/// Checks the keys whose state is known, once the server answers.
fn check_after_start(server: &Server, clients: &Clients) {
    assert_eq!(server.get("/healthz").status, 200);
    server.get("/v1/kinds").problem(401);
    for (id, secret, state) in clients.known().into_iter().rev().take(CHECKED) {
        let status = clients.status(&secret).unwrap_or_else(|| panic!("no answer for key {id}"));
        // The administrator may have revoked the key in the meantime.
        let state_now = clients.state(id);
        match (state, status) {
            (State::Live, 200) | (State::Revoked, 401) | (State::Revoking, _) => {}
            (State::Live, 401) if state_now != Some(State::Live) => {}
            _ => panic!("key {id} was {state:?} before the start, and is answered with {status}"),
        }
    }
}
