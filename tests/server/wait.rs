//! Waiting for the end of a job.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::kit::{Connection, Server, Setup, echo, eventually, pointers, sleep, with};

#[test]
fn a_submission_that_prefers_to_wait_is_answered_with_the_end() {
    let server = Server::start();
    let answer = server.post_with("/v1/jobs", &[("prefer", "wait=20")], &echo("x"));
    let job = answer.expect(200);
    assert_eq!((&job["state"], &job["result"]), (&json!("completed"), &json!("x")));
    assert_eq!(answer.header("preference-applied"), Some("wait=20"));
}

#[test]
fn a_submission_may_ask_for_the_end_in_its_query() {
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
    // Of many jobs there is no one end; the header is a wish, and may be passed over.
    let many = json!([echo(1), echo(2)]);
    server.post("/v1/jobs?wait=5", &many).problem(400);
    server.post_with("/v1/jobs", &[("prefer", "wait=5")], &many).expect(202);
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"].as_array().unwrap().len(), 4);
}

#[test]
fn a_submission_whose_wait_ends_first_is_accepted() {
    let server = Server::start();
    let answer = server.post_with("/v1/jobs", &[("prefer", "wait=0")], &sleep("1h"));
    assert_eq!(answer.expect(202)["finished_at"], json!(null));
    assert_eq!(answer.header("location"), Some("/v1/jobs/1"));
}

#[test]
fn an_accepted_job_is_never_answered_with_an_error_for_want_of_a_place_to_wait() {
    let server = Setup::new().config("limits.max_waits = 1").start();
    let held = server.submit(&sleep("1h"));
    let (path, addr) = (format!("/v1/jobs/{held}?wait=60s"), server.addr());
    let waiting = std::thread::spawn(move || {
        eventually("the place is free", || {
            let answer = Connection::open(addr).unwrap().request("GET", &path, &[], b"").unwrap();
            (answer.status != 503).then_some(answer)
        })
    });
    eventually("the place is taken", || {
        let refused = server.get(&format!("/v1/jobs/{held}?wait=0s"));
        (refused.status == 503).then(|| assert!(refused.header("retry-after").is_some()))
    });
    let answer = server.post_with("/v1/jobs", &[("prefer", "wait=5")], &echo(1));
    let id = answer.expect(202)["id"].as_i64().unwrap();
    server.post_empty(&format!("/v1/jobs/{held}/cancel")).expect(200);
    assert_eq!(waiting.join().unwrap().expect(200)["state"], "cancelled");
    assert_eq!(server.finished(id)["state"], "completed");
}

#[test]
fn a_wait_is_answered_as_soon_as_the_job_ends() {
    let server = Server::start();
    let id = server.submit(&sleep("300ms"));
    let began = Instant::now();
    let job = server.get(&format!("/v1/jobs/{id}?wait=60")).expect(200);
    assert_eq!(job["state"], "completed");
    assert!(began.elapsed() < Duration::from_secs(20));
    let job = server.get(&format!("/v1/jobs/{id}?wait=60")).expect(200);
    assert_eq!(job["state"], "completed");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_wait_that_is_over_shows_the_job_as_it_stands() {
    let server = Server::start();
    let id = server.submit(&with(sleep("1h"), &json!({"delay": "1h"})));
    let job = server.get(&format!("/v1/jobs/{id}?wait=50ms")).expect(200);
    assert_eq!(job["state"], "scheduled");
    let headers = [("prefer", "respond-async, wait=0")];
    let job = server.request("GET", &format!("/v1/jobs/{id}"), &headers, b"").expect(200);
    assert_eq!(job["state"], "scheduled");
}

#[test]
fn a_wait_that_is_none_or_too_long_is_refused() {
    let server = Server::start();
    server.submit(&echo(1));
    for wait in ["61s", "2m", "soon", "-1s", ""] {
        server.get(&format!("/v1/jobs/1?wait={wait}")).problem(400);
    }
    server.get("/v1/jobs/1?wiat=5s").problem(400);
    server.get("/v1/jobs/2?wait=5s").problem(404);
}

#[test]
fn many_wait_for_one_job_and_all_are_told() {
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
fn all_who_wait_are_answered_when_they_end_together() {
    let server = Setup::new().config("limits.max_reads_in_flight = 2").start();
    let held = server.submit(&sleep("1h"));
    let mut waiting: Vec<Connection> = (0..100).map(|_| server.connect()).collect();
    for connection in &mut waiting {
        let request = format!("GET /v1/jobs/{held}?wait=60s HTTP/1.1\r\nhost: localhost\r\n\r\n");
        connection.send(request).unwrap();
    }
    // Long enough for most to have begun to wait; those that come late see the end at once.
    std::thread::sleep(Duration::from_millis(300));
    server.post_empty(&format!("/v1/jobs/{held}/cancel")).expect(200);
    for connection in &mut waiting {
        assert_eq!(connection.answer().unwrap().expect(200)["state"], "cancelled");
    }
}
