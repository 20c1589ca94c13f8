//! Cancels jobs while they end (L9): each job must have one outcome.

use serde_json::json;

use crate::fault_row::FaultRow;
use crate::kit::{Connection, Server, sleep};

#[test]
fn a_job_that_is_cancelled_while_it_ends_has_one_outcome() {
    let what = "four clients cancel a job while it ends";
    let Some(mut row) = FaultRow::start("L9", what, (1, 50, "times 300 jobs")) else { return };
    let (mut completed, mut cancelled) = (0, 0);
    for _ in 0..row.times {
        let counts = race();
        completed += counts.0;
        cancelled += counts.1;
    }
    row.count("races", completed + cancelled);
    row.count("completed", completed);
    row.count("cancelled", cancelled);
    row.held();
}

fn race() -> (i64, i64) {
    let server = Server::start();
    server.patch("/v1/queues/default", &json!({"max_running": 10})).expect(200);
    let jobs: Vec<_> = (0..300).map(|number| sleep(&format!("{}ms", number % 40))).collect();
    let batch = server.post("/v1/batches", &json!({"jobs": jobs})).expect(202);
    let addr = server.addr();
    let clients: Vec<_> = (0..4)
        .map(|number| {
            std::thread::spawn(move || {
                let mut connection = Connection::open(addr).unwrap();
                let cancel = |index: usize| {
                    // Each client starts at another job, among jobs that wait, run or have ended.
                    let id = (index + number * 75) % 300 + 1;
                    let path = format!("/v1/jobs/{id}/cancel");
                    let answer = connection.request("POST", &path, &[], b"").unwrap();
                    assert!(matches!(answer.status, 200 | 409), "{answer:?}");
                    (id, answer.status)
                };
                (0..300).map(cancel).collect::<Vec<_>>()
            })
        })
        .collect();
    let statuses: Vec<(usize, u16)> =
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    let path = format!("/v1/batches/{}?wait=30s", batch["id"]);
    let batch = server.get(&path).expect(200);
    let (mut completed, mut cancelled) = (0, 0);
    for id in 1..=300_u16 {
        let job = server.job(id.into());
        let was_refused = statuses.contains(&(id.into(), 409));
        match job["state"].as_str() {
            Some("completed") => completed += 1,
            Some("cancelled") => {
                cancelled += 1;
                assert!(
                    !was_refused,
                    "a cancellation was refused although the job was not final: {job}"
                );
                assert_eq!(job["result"], json!(null), "{job}");
            }
            _ => panic!("{job}"),
        }
        assert_eq!(job["cancel_requested"], false, "{job}");
    }
    assert_eq!(
        (&batch["counts"]["completed"], &batch["counts"]["cancelled"]),
        (&json!(completed), &json!(cancelled))
    );
    assert!(
        completed > 0 && cancelled > 0,
        "{completed} completed and {cancelled} cancelled: this run proves nothing"
    );
    (completed, cancelled)
}
