//! Ends the server with SIGTERM again and again under load (L7): no attempt may be used up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::fault_row::FaultRow;
use crate::kit::{Connection, Server, sleep};

/// Submits short jobs until `is_over` is set, and returns the ids of the accepted ones.
fn submit_until(is_over: &AtomicBool, addr: std::net::SocketAddr) -> Vec<i64> {
    let mut ids = Vec::new();
    let job = sleep("5ms");
    while !is_over.load(Ordering::SeqCst) {
        let Ok(mut connection) = Connection::open(addr) else { continue };
        while let Ok(answer) = connection.post("/v1/jobs", &job) {
            match answer.status {
                202 => ids.push(answer.json()["id"].as_i64().unwrap()),
                503 => assert!(answer.header("retry-after").is_some(), "{answer:?}"),
                _ => panic!("{answer:?}"),
            }
            if is_over.load(Ordering::SeqCst) || answer.header("connection") == Some("close") {
                break;
            }
        }
    }
    ids
}

#[test]
fn restarts_under_load_use_up_no_attempt() {
    let what = "SIGTERM under load, again and again";
    let Some(mut row) = FaultRow::start("L7", what, (8, 200, "restarts")) else { return };
    let mut server = Server::start();
    let mut ids = Vec::new();
    for _ in 0..row.times {
        let is_over = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..3)
            .map(|_| {
                let (is_over, addr) = (Arc::clone(&is_over), server.addr());
                std::thread::spawn(move || submit_until(&is_over, addr))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(150));
        server.terminate();
        assert_eq!(server.wait_for_exit().code(), Some(0));
        is_over.store(true, Ordering::SeqCst);
        ids.extend(clients.into_iter().flat_map(|client| client.join().unwrap()));
        server.restart();
    }
    let mut burned = 0;
    for id in &ids {
        let job = server.wait_until_final(*id);
        assert_eq!(job["state"], "completed", "{job}");
        burned += i32::from(job["attempt"] != 1);
    }
    row.count("acknowledged", ids.len());
    row.count("attempts burned", burned);
    assert_eq!(burned, 0);
    assert!(!server.log().contains("rescued the jobs"), "a drained server left jobs running");
    row.held();
}
