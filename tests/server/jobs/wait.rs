//! Requests that wait until a job is final.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::kit::{Connection, Server, Setup, echo, eventually, pointers, sleep, with};

#[test]
fn a_submission_with_prefer_wait_returns_the_final_job() {
    let server = Server::start();
    let answer = server.post_with("/v1/jobs", &[("prefer", "wait=20")], &echo("x"));
    let job = answer.expect(200);
    assert_eq!((&job["state"], &job["result"]), (&json!("completed"), &json!("x")));
    assert_eq!(answer.header("preference-applied"), Some("wait=20"));
}

#[test]
fn a_submission_with_a_wait_parameter_returns_the_final_job() {
    let server = Server::start();
    let job = server.post("/v1/jobs?wait=20s", &echo("x")).expect(200);
    assert_eq!((&job["state"], &job["result"]), (&json!("completed"), &json!("x")));
    let answer = server.post("/v1/jobs?wait=0", &sleep("1h"));
    assert_eq!(answer.expect(202)["finished_at"], json!(null));
    for path in ["/v1/jobs?wait=61", "/v1/jobs?wait=soon", "/v1/batches?wait=5"] {
        let answer = server.post(path, &json!({"jobs": [echo(1)]}));
        answer.problem(400);
        assert_eq!(pointers(&answer), ["/wait"], "{path}");
    }
    // Many jobs have no common final state, so the parameter is refused. The header is only a
    // preference, which may be ignored.
    let many = json!([echo(1), echo(2)]);
    server.post("/v1/jobs?wait=5", &many).problem(400);
    server.post_with("/v1/jobs", &[("prefer", "wait=5")], &many).expect(202);
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"].as_array().unwrap().len(), 4);
}

#[test]
fn a_submission_whose_wait_expires_first_is_accepted() {
    let server = Server::start();
    let answer = server.post_with("/v1/jobs", &[("prefer", "wait=0")], &sleep("1h"));
    assert_eq!(answer.expect(202)["finished_at"], json!(null));
    assert_eq!(answer.header("location"), Some("/v1/jobs/1"));
}

#[test]
fn a_submission_is_accepted_even_if_no_more_requests_may_wait() {
    let server = Setup::new().config("limits.max_waits = 1").start();
    let sleeping = server.submit(&sleep("1h"));
    let (path, addr) = (format!("/v1/jobs/{sleeping}?wait=60s"), server.addr());
    let waiting = std::thread::spawn(move || {
        eventually("the request may wait", || {
            let answer = Connection::open(addr).unwrap().request("GET", &path, &[], b"").unwrap();
            (answer.status != 503).then_some(answer)
        })
    });
    eventually("no other request may wait", || {
        let refused = server.get(&format!("/v1/jobs/{sleeping}?wait=0s"));
        (refused.status == 503).then(|| assert!(refused.header("retry-after").is_some()))
    });
    let answer = server.post_with("/v1/jobs", &[("prefer", "wait=5")], &echo(1));
    let id = answer.expect(202)["id"].as_i64().unwrap();
    server.post_empty(&format!("/v1/jobs/{sleeping}/cancel")).expect(200);
    assert_eq!(waiting.join().unwrap().expect(200)["state"], "cancelled");
    assert_eq!(server.wait_until_final(id)["state"], "completed");
}

#[test]
fn a_wait_is_answered_as_soon_as_the_job_ends() {
    let server = Server::start();
    let id = server.submit(&sleep("300ms"));
    let started = Instant::now();
    let job = server.get(&format!("/v1/jobs/{id}?wait=60")).expect(200);
    assert_eq!(job["state"], "completed");
    assert!(started.elapsed() < Duration::from_secs(20));
    let job = server.get(&format!("/v1/jobs/{id}?wait=60")).expect(200);
    assert_eq!(job["state"], "completed");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_wait_that_expires_returns_the_job_in_its_current_state() {
    let server = Server::start();
    let id = server.submit(&with(sleep("1h"), &json!({"delay": "1h"})));
    let job = server.get(&format!("/v1/jobs/{id}?wait=50ms")).expect(200);
    assert_eq!(job["state"], "scheduled");
    let headers = [("prefer", "respond-async, wait=0")];
    let job = server.request("GET", &format!("/v1/jobs/{id}"), &headers, b"").expect(200);
    assert_eq!(job["state"], "scheduled");
}

#[test]
fn an_invalid_or_too_long_wait_is_refused() {
    let server = Server::start();
    server.submit(&echo(1));
    for wait in ["61s", "2m", "soon", "-1s", ""] {
        server.get(&format!("/v1/jobs/1?wait={wait}")).problem(400);
    }
    server.get("/v1/jobs/1?wiat=5s").problem(400);
    server.get("/v1/jobs/2?wait=5s").problem(404);
}

#[test]
fn many_requests_wait_for_one_job_and_all_are_answered() {
    let server = Server::start();
    let id = server.submit(&with(echo(1), &json!({"delay": "500ms"})));
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let mut connection = server.connect();
            let head =
                format!("GET /v1/jobs/{id}?wait=30s HTTP/1.1\r\nhost: {}\r\n\r\n", server.addr());
            connection.send(head).unwrap();
            connection
        })
        .collect();
    for mut connection in waiting {
        assert_eq!(connection.answer().unwrap().expect(200)["state"], "completed");
    }
}

#[test]
fn waiting_requests_that_end_together_are_all_answered() {
    let server = Setup::new().config("limits.max_reads_in_flight = 2").start();
    let sleeping = server.submit(&sleep("1h"));
    let mut waiting: Vec<Connection> = (0..100).map(|_| server.connect()).collect();
    for connection in &mut waiting {
        let request =
            format!("GET /v1/jobs/{sleeping}?wait=60s HTTP/1.1\r\nhost: localhost\r\n\r\n");
        connection.send(request).unwrap();
    }
    // Long enough for most requests to wait. A late one finds the job final and is answered at once.
    std::thread::sleep(Duration::from_millis(300));
    server.post_empty(&format!("/v1/jobs/{sleeping}/cancel")).expect(200);
    for connection in &mut waiting {
        assert_eq!(connection.answer().unwrap().expect(200)["state"], "cancelled");
    }
}
