//! Overload: more requests, connections and bytes than the server accepts at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use crate::kit::{Connection, Server, Setup, echo};

/// Number of idle connections: as many as the limit on open files allows in the test process.
const IDLE: usize = 800;

#[test]
fn submissions_past_the_limit_are_refused_and_no_accepted_job_is_lost() {
    let server = Setup::new().config("limits.max_writes_in_flight = 2").start();
    let addr = server.addr();
    let ready = Arc::new(Barrier::new(32));
    let clients: Vec<_> = (0..32)
        .map(|_| {
            let ready = Arc::clone(&ready);
            std::thread::spawn(move || {
                let mut connection = Connection::open(addr).unwrap();
                ready.wait();
                let (mut accepted, mut refused) = (Vec::new(), 0);
                for _ in 0..30 {
                    let answer = connection.post("/v1/jobs", &echo(1)).unwrap();
                    if answer.status == 202 {
                        accepted.push(answer.json()["id"].as_i64().unwrap());
                    } else {
                        answer.problem(503);
                        assert!(answer.header("retry-after").is_some(), "{answer:?}");
                        refused += 1;
                    }
                }
                (accepted, refused)
            })
        })
        .collect();
    let (mut ids, mut refused) = (BTreeSet::new(), 0);
    for client in clients {
        let (accepted, refused_here) = client.join().unwrap();
        ids.extend(accepted);
        refused += refused_here;
    }
    assert!(refused > 0, "no submission was refused, so the test shows nothing");
    for id in &ids {
        assert_eq!(server.wait_until_final(*id)["state"], "completed");
    }
    let all = server.queue("default")["jobs"]["completed"].as_u64();
    assert_eq!(all, Some(ids.len() as u64), "refused submissions must not be stored");
    eprintln!("A5: {} accepted, {refused} refused, 0 lost", ids.len());
}

#[test]
fn idle_connections_and_slow_bodies_do_not_delay_other_requests() {
    let server = Server::start();
    let mut idle: Vec<Connection> = (0..IDLE).map(|_| server.connect()).collect();
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n",
        server.addr()
    );
    for connection in idle.iter_mut().step_by(2) {
        connection.send(&head).unwrap();
        connection.send("{").unwrap();
    }
    let started = Instant::now();
    for _ in 0..20 {
        server.run(&echo(1));
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    eprintln!("A1: 20 jobs next to {IDLE} idle and slow connections took {:?}", started.elapsed());
    idle[0].send("\"kind\":\"echo\"}").unwrap();
    assert_eq!(idle[0].answer().unwrap().status, 202);
}
