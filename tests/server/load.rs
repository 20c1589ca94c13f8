//! More than the server takes at once.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Barrier, mpsc};
use std::time::{Duration, Instant};

use crate::kit::{Connection, LONG, Server, Setup, echo, eventually};

/// Idle connections, as many as the limit on open files leaves room for in this process.
const IDLE: usize = 800;

#[test]
fn more_submissions_than_may_be_under_way_are_put_off_and_none_is_lost() {
    let server = Setup::new().config("limits.max_writes_in_flight = 2").start();
    let addr = server.addr();
    let ready = Arc::new(Barrier::new(32));
    let clients: Vec<_> = (0..32)
        .map(|_| {
            let ready = Arc::clone(&ready);
            std::thread::spawn(move || {
                let mut connection = Connection::open(addr).unwrap();
                ready.wait();
                let headers = [("content-type", "application/json")];
                let (mut accepted, mut refused) = (Vec::new(), 0);
                for _ in 0..30 {
                    let body = echo(1).to_string();
                    let answer = connection.request("POST", "/v1/jobs", &headers, body.as_bytes());
                    let answer = answer.unwrap();
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
        let (accepted, put_off) = client.join().unwrap();
        ids.extend(accepted);
        refused += put_off;
    }
    assert!(refused > 0, "nothing was put off: nothing was shown");
    for id in &ids {
        assert_eq!(server.finished(*id)["state"], "completed");
    }
    let all = server.queue("default")["jobs"]["completed"].as_u64();
    assert_eq!(all, Some(ids.len() as u64), "what was refused is not there");
    eprintln!("A5: {} accepted, {refused} put off, 0 lost", ids.len());
}

#[test]
fn idle_connections_and_slow_bodies_do_not_hold_up_others() {
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
    let began = Instant::now();
    for _ in 0..20 {
        server.run(&echo(1));
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    eprintln!("A1: 20 jobs beside {IDLE} idle and slow connections took {:?}", began.elapsed());
    idle[0].send("\"kind\":\"echo\"}").unwrap();
    assert_eq!(idle[0].answer().unwrap().status, 202);
}

#[test]
fn large_bodies_are_bounded_together_before_they_are_read() {
    let limits = "limits = { max_body_bytes = 1048576, max_write_bytes_in_flight = 2097152 }";
    let server = Setup::new().config(limits).start();
    let head = "POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 1000000\r\n\r\n{";
    // Which of the three comes too late is for the server to say; it answers no other before its end.
    let (tell, answers) = mpsc::channel();
    let unfinished: Vec<TcpStream> =
        (0..3).map(|_| begin(server.addr(), head, tell.clone())).collect();
    let refused = answers.recv_timeout(LONG).unwrap();
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after:"), "{refused}");
    assert!(answers.try_recv().is_err(), "more than one was refused");
    // Small ones pass all the while, and large ones as soon as the others are gone.
    server.submit(&echo(1));
    for stream in unfinished {
        // The one that was refused may be closed already.
        let _ = stream.shutdown(Shutdown::Both);
    }
    eventually("large bodies are taken again", || {
        let answer = server.post("/v1/jobs", &echo("x".repeat(900_000)));
        (answer.status == 202).then_some(())
    });
}

/// Sends the beginning of a request; the beginning of its answer is told when it comes.
fn begin(addr: SocketAddr, head: &str, tell: mpsc::Sender<String>) -> TcpStream {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut reader = stream.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut answer = [0; 2048];
        if let Ok(count @ 1..) = reader.read(&mut answer) {
            // Nobody listens once the test is over.
            let _ = tell.send(String::from_utf8_lossy(&answer[..count]).into_owned());
        }
    });
    stream
}
