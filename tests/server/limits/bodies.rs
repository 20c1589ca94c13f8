//! Bodies that arrive slowly, or not at all, and what they leave for others.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::kit::leases::{lease, lease_action, remote};
use crate::kit::{Connection, Server, Setup, TEST_TIMEOUT, echo, eventually};

const CHUNKED: &str = "POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                       transfer-encoding: chunked\r\n\r\n";

#[test]
fn bodies_that_never_come_refuse_no_other_request() {
    let server = Server::start();
    server.submit(&remote(1));
    let leased = lease(&server, 1, &json!({})).remove(0);
    let mut silent: Vec<Connection> = (0..40).map(|_| server.connect()).collect();
    let lengths = CHUNKED.replace("transfer-encoding: chunked", "content-length: 33000000");
    for (index, connection) in silent.iter_mut().enumerate() {
        connection.send(if index % 2 == 0 { CHUNKED } else { &lengths }).unwrap();
    }
    // The server has read the heads once it answers a request that was sent after them on a new
    // connection of each thread.
    for _ in 0..8 {
        server.submit(&echo("x".repeat(2_000)));
    }
    server.submit(&echo("x".repeat(300_000)));
    let result = json!({"result": "x".repeat(100_000)});
    lease_action(&server, &leased, "complete", &result).expect(200);
}

#[test]
fn reports_and_small_forms_are_never_refused_because_of_large_submissions() {
    let limits = "limits = { max_body_bytes = 1048576, max_write_bytes_in_flight = 2097152 }";
    let server = Setup::new().config(limits).start();
    server.post("/v1/jobs", &json!([remote(1), remote(2), remote(3)])).expect(202);
    let leased = lease(&server, 3, &json!({}));
    let waiting = server.submit(&remote(4));
    // Two unfinished submissions together take the whole bound. One that is refused is replaced.
    let mut large = Vec::new();
    eventually("submissions of more than 64 KiB are refused", || {
        let mut connection = server.connect();
        connection.send(CHUNKED).unwrap();
        let _ = connection.send(format!("{:x}\r\n{}", 1_000_000, " ".repeat(990_000)));
        large.push(connection);
        (server.post("/v1/jobs", &echo("x".repeat(100_000))).status == 503).then_some(())
    });
    server.submit(&echo(1));
    lease_action(&server, &leased[0], "renew", &json!({"log": "x".repeat(2_000)})).expect(200);
    let result = json!({"result": "x".repeat(2_000)});
    lease_action(&server, &leased[0], "complete", &result).expect(200);
    let result = json!({"result": "x".repeat(100_000)});
    lease_action(&server, &leased[1], "complete", &result).expect(200);
    let failure = json!({"error": {"message": "x".repeat(3_000)}, "log": "x".repeat(30_000)});
    lease_action(&server, &leased[2], "fail", &failure).expect(200);
    let ids: Vec<i64> = (0..200).chain([waiting]).collect();
    server.post("/v1/jobs/cancel", &json!({"ids": ids})).expect(200);
    let origin = server.url();
    let headers =
        [("origin", origin.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let form = format!("max_running={}&x={}", 5, "y".repeat(50_000));
    let answer = server.request("POST", "/queues/default/limits", &headers, form.as_bytes());
    assert_eq!(answer.status, 303, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(server.job(waiting)["state"], "cancelled");
}

#[test]
fn small_reports_and_submissions_pass_while_large_bodies_take_every_share() {
    let limits = "limits = { max_body_bytes = 1048576, max_write_bytes_in_flight = 2097152 }";
    let server = Setup::new().config(limits).start();
    server.post("/v1/jobs", &json!([remote(1), remote(2)])).expect(202);
    let leased = lease(&server, 2, &json!({}));
    let large = json!({"result": "x".repeat(100_000)});
    let mut unfinished = Vec::new();
    eventually("large bodies of both kinds are refused", || {
        for path in ["/v1/jobs", "/v1/leases/finish"] {
            for bytes in [990_000, 70_000] {
                let mut connection = server.connect();
                connection.send(CHUNKED.replace("/v1/jobs", path)).unwrap();
                // What is refused may be closed already.
                let _ = connection.send(format!("{:x}\r\n[{}", 1_000_000, " ".repeat(bytes)));
                unfinished.push(connection);
            }
        }
        let submission = server.post("/v1/jobs", &echo("x".repeat(100_000)));
        let report = lease_action(&server, &json!({"id": 1, "lease_token": 0}), "complete", &large);
        (submission.status == 503 && report.status == 503).then_some(())
    });
    server.submit(&echo("x".repeat(2_000)));
    server.submit(&echo("x".repeat(60_000)));
    for (leased, bytes) in leased.iter().zip([2_000, 60_000]) {
        lease_action(&server, leased, "renew", &json!({"log": "x".repeat(2_000)})).expect(200);
        let result = json!({"result": "x".repeat(bytes)});
        lease_action(&server, leased, "complete", &result).expect(200);
    }
}

#[test]
fn small_bodies_that_are_waited_for_are_bounded_together() {
    // A quarter of the bound is 512 KiB: eight of these bodies.
    let limits = "limits = { max_body_bytes = 1048576, max_write_bytes_in_flight = 2097152 }";
    let server = Setup::new().config(limits).start();
    let head = CHUNKED.replace("transfer-encoding: chunked", "content-length: 66000");
    let (sender, answers) = mpsc::channel();
    let mut unfinished = Vec::new();
    for _ in 0..12 {
        let request = format!("{head}{}", "x".repeat(64_000));
        unfinished.push(start_request(server.addr(), &request, sender.clone()));
    }
    // Four are refused at once. The others are ended because they are too slow.
    for _ in 0..4 {
        let answer = answers.recv_timeout(TEST_TIMEOUT).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    }
    // What arrives at once is not counted.
    server.submit(&echo(1));
    server.submit(&echo("x".repeat(3_000)));
}

#[test]
fn a_body_that_arrives_too_slowly_is_answered_with_408() {
    let server = Server::start();
    let head = |length: usize| {
        CHUNKED.replace("transfer-encoding: chunked", &format!("content-length: {length}"))
    };
    let started = Instant::now();
    let (slow, steady, held) = std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let mut connection = server.connect();
            connection.send(head(100_000)).unwrap();
            connection.send(format!("{{\"kind\":\"echo\",{}", " ".repeat(20_000))).unwrap();
            let answer = connection.answer().unwrap();
            let rest = connection.read_to_end();
            (answer, rest, started.elapsed())
        });
        // 20 kB in a second are enough.
        let steady = scope.spawn(|| {
            let mut connection = server.connect();
            let job = format!("{{\"kind\":\"echo\"{}}}", " ".repeat(280_000));
            connection.send(head(job.len())).unwrap();
            for piece in job.as_bytes().chunks(20_000) {
                connection.send(piece).unwrap();
                std::thread::sleep(Duration::from_secs(1));
            }
            connection.answer().unwrap()
        });
        let held = scope.spawn(|| {
            let mut connection = server.connect();
            connection.send(CHUNKED).unwrap();
            let answer = connection.answer().unwrap();
            (answer, started.elapsed())
        });
        (slow.join().unwrap(), steady.join().unwrap(), held.join().unwrap())
    });
    let (answer, rest, took) = slow;
    assert!(answer.problem(408).contains("too slowly"), "{answer:?}");
    assert!(rest.is_empty(), "the connection was used for another answer");
    // 20 kB are good for a little more than a second.
    assert!((11..20).contains(&took.as_secs()), "{took:?}");
    assert_eq!(steady.status, 202);
    let (answer, took) = held;
    answer.problem(408);
    assert!((10..19).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn the_total_size_of_large_bodies_is_limited_while_they_arrive() {
    let limits = "limits = { max_body_bytes = 1048576, max_write_bytes_in_flight = 2097152 }";
    let server = Setup::new().config(limits).start();
    let head = CHUNKED.replace("transfer-encoding: chunked", "content-length: 1000000");
    let start = format!("{head}{{{}", " ".repeat(900_000));
    // The server decides which of the three exceeds the limit, and refuses it at once. The other
    // two get no answer before their bodies are complete.
    let (sender, answers) = mpsc::channel();
    let unfinished: Vec<TcpStream> =
        (0..3).map(|_| start_request(server.addr(), &start, sender.clone())).collect();
    let refused = answers.recv_timeout(TEST_TIMEOUT).unwrap();
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after:"), "{refused}");
    assert!(answers.try_recv().is_err(), "more than one was refused");
    // Small requests are accepted meanwhile, and large ones once the unfinished ones are closed.
    server.submit(&echo(1));
    for stream in unfinished {
        // The refused connection may be closed already.
        let _ = stream.shutdown(Shutdown::Both);
    }
    eventually("large bodies are accepted again", || {
        let answer = server.post("/v1/jobs", &echo("x".repeat(900_000)));
        (answer.status == 202).then_some(())
    });
}

/// Sends the start of a request. The start of its answer goes to the sender when it arrives.
fn start_request(addr: SocketAddr, head: &str, sender: mpsc::Sender<String>) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    let (mut writer, mut reader) = (stream.try_clone().unwrap(), stream.try_clone().unwrap());
    let head = head.to_owned();
    // A request that is refused is not read to its end.
    std::thread::spawn(move || writer.write_all(head.as_bytes()).is_ok());
    std::thread::spawn(move || {
        let mut answer = [0; 2048];
        if let Ok(count @ 1..) = reader.read(&mut answer) {
            // The receiver is gone once the test has ended.
            let _ = sender.send(String::from_utf8_lossy(&answer[..count]).into_owned());
        }
    });
    stream
}
