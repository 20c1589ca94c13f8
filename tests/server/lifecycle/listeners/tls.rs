//! TLS from files.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::kit::{Server, Setup, TEST_TIMEOUT, echo, eventually, tls};

/// Starts a server with TLS, whose files are in its directory.
fn start() -> Server {
    let setup = Setup::new();
    let config = tls::install("first", setup.directory());
    setup.config(config).start()
}

fn is_healthy(server: &Server) -> bool {
    tls::open(server.addr()).request("GET", "/healthz", &[], b"").unwrap().status == 200
}

#[test]
fn requests_and_answers_of_any_size_pass_over_tls() {
    let server = start();
    let mut connection = tls::open(server.addr());
    for length in [1, 16_384, 900_000] {
        let payload = "x".repeat(length);
        let answer = connection.post("/v1/jobs?wait=30s", &echo(payload.clone())).unwrap();
        assert_eq!(answer.expect(200)["result"], json!(payload), "{length}");
    }
    let tls = tls::connect(server.addr()).unwrap();
    assert_eq!(tls.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(tls.conn.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
}

#[test]
fn a_slow_reader_gets_a_large_answer_completely_over_tls() {
    let server = start();
    let payload = "x".repeat(900_000);
    let job = tls::open(server.addr()).post("/v1/jobs", &echo(payload)).unwrap().expect(202);
    let path = format!("/v1/jobs/{}?wait=30s", job["id"]);
    let mut stream = tls::connect(server.addr()).unwrap();
    let head =
        format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", server.addr());
    stream.write_all(head.as_bytes()).unwrap();
    // The buffers of both systems are full by now, so that the server has to wait for the reader.
    std::thread::sleep(Duration::from_millis(1_500));
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let job: serde_json::Value = serde_json::from_slice(&answer[body..]).unwrap();
    assert_eq!(job["result"].as_str().unwrap().len(), 900_000);
}

#[test]
fn a_client_that_takes_nothing_of_its_answers_loses_its_tls_connection() {
    const ANSWERS: usize = 20;
    let server = start();
    let payload = "x".repeat(900_000);
    let mut connection = tls::open(server.addr());
    let job = connection.post("/v1/jobs?wait=30s", &echo(payload)).unwrap().expect(200);
    let mut stream = tls::connect(server.addr()).unwrap();
    let head = format!("GET /v1/jobs/{} HTTP/1.1\r\nhost: {}\r\n\r\n", job["id"], server.addr());
    stream.write_all(head.repeat(ANSWERS).as_bytes()).unwrap();
    // A client may take nothing of an answer for 30 s.
    std::thread::sleep(Duration::from_secs(35));
    let mut taken = Vec::new();
    let _ = stream.read_to_end(&mut taken);
    assert!(!taken.is_empty() && taken.len() < ANSWERS * 1_800_000, "{}", taken.len());
    assert!(is_healthy(&server));
}

#[test]
fn events_pass_over_tls_as_they_happen() {
    let server = start();
    let job = json!({"kind": "sleep", "payload": {"duration": "300ms"}});
    let mut connection = tls::open(server.addr());
    let id = connection.post("/v1/jobs", &job).unwrap().expect(202)["id"].clone();
    connection
        .send(format!("GET /v1/jobs/{id}/events HTTP/1.1\r\nhost: {}\r\n\r\n", server.addr()))
        .unwrap();
    let mut text = String::new();
    // The head is followed by chunks.
    let mut byte_stream = String::new();
    while !byte_stream.ends_with("\r\n\r\n") {
        byte_stream.push_str(&connection.line().unwrap());
        byte_stream.push_str("\r\n");
    }
    while let Some(chunk) = connection.chunk().unwrap() {
        text.push_str(&String::from_utf8_lossy(&chunk));
        if text.contains("completed") {
            return;
        }
    }
    panic!("the job does not complete: {text}");
}

#[test]
fn a_new_certificate_is_used_without_a_restart() {
    let server = start();
    assert_eq!(tls::certificate_of(server.addr()), "first");
    let mut kept = tls::open(server.addr());
    tls::install("second", server.directory());
    eventually("the new certificate is used", || {
        (tls::certificate_of(server.addr()) == "second").then_some(())
    });
    assert_eq!(kept.request("GET", "/healthz", &[], b"").unwrap().status, 200);
}

#[test]
fn a_new_certificate_that_cannot_be_used_is_reported_once_and_the_old_one_stays() {
    let server = start();
    let warnings = || server.log().matches("the server keeps the certificate from before").count();
    let directory = server.directory();
    let (cert, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    let broken: [&dyn Fn(); 4] = [
        &|| fs::write(&key, fs::read(tls::file("second.key")).unwrap()).unwrap(),
        &|| fs::write(&key, "no key").unwrap(),
        &|| fs::write(&cert, "").unwrap(),
        &|| fs::remove_file(&key).unwrap(),
    ];
    for (index, break_files) in broken.iter().enumerate() {
        break_files();
        eventually("the files are read again", || {
            assert_eq!(tls::certificate_of(server.addr()), "first");
            (warnings() > index).then_some(())
        });
        // Looks again a few times.
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(1_050));
            assert!(is_healthy(&server));
        }
        assert_eq!(warnings(), index + 1);
    }
    tls::install("second", directory);
    eventually("the new certificate is used", || {
        (tls::certificate_of(server.addr()) == "second").then_some(())
    });
}

#[test]
fn a_handshake_that_does_not_end_is_cut_off_and_delays_nobody() {
    let server = start();
    // A handshake record that announces 512 bytes.
    let parts: [&[u8]; 3] = [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"];
    let mut stuck: Vec<TcpStream> = Vec::new();
    for part in parts.into_iter().cycle().take(60) {
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        stream.write_all(part).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stuck.push(stream);
    }
    let started = Instant::now();
    assert!(is_healthy(&server));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    for mut stream in stuck {
        let mut rest = Vec::new();
        match stream.read_to_end(&mut rest) {
            Ok(_) => assert_eq!(rest, b""),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
    assert!(started.elapsed() < Duration::from_secs(12), "{:?}", started.elapsed());
    // A head that does not come over an open TLS connection is answered.
    let mut stream = tls::connect(server.addr()).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn plain_http_on_a_tls_port_is_told_so_and_closed() {
    let mut server = start();
    for request in
        ["GET / HTTP/1.1\r\n\r\n", "POST /v1/jobs HTTP/1.1\r\nhost: a\r\n", "\0", "hello\r\n"]
    {
        let mut connection = server.connect();
        connection.send(request).unwrap();
        let answer = connection.answer().unwrap();
        assert_eq!(answer.status, 400, "{request}");
        assert!(answer.json()["detail"].as_str().unwrap().contains("https://"), "{request}");
        let started = Instant::now();
        assert_eq!(connection.read_to_end(), b"");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
    assert!(is_healthy(&server));
    server.terminate();
    assert!(server.wait_for_exit().success());
}

#[test]
fn tls_on_a_plain_port_ends_at_once() {
    let server = Server::start();
    let started = Instant::now();
    assert!(tls::connect(server.addr()).is_err());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    server.get("/healthz").expect(200);
}

#[test]
fn files_that_cannot_be_used_stop_the_start_with_their_names() {
    let start_with = |change: &dyn Fn(&std::path::Path)| {
        let setup = Setup::new();
        let config = tls::install("first", setup.directory());
        change(setup.directory());
        let output = setup.config(config).fail();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        text
    };
    let text = start_with(&|directory| fs::remove_file(directory.join("key.pem")).unwrap());
    assert!(text.contains("key.pem: No such file") && text.contains("tls.key"), "{text}");
    let text = start_with(&|directory| {
        fs::copy(tls::file("second.key"), directory.join("key.pem")).unwrap();
    });
    assert!(text.contains("cert.pem with the key") && text.contains("key.pem"), "{text}");
    let text = start_with(&|directory| fs::write(directory.join("cert.pem"), "x").unwrap());
    assert!(text.contains("cert.pem has no certificate in PEM form"), "{text}");
    let text = start_with(&|directory| {
        fs::copy(tls::file("first.pem"), directory.join("key.pem")).unwrap();
    });
    assert!(text.contains("key.pem has no private key in PEM form"), "{text}");
}

#[test]
fn a_key_that_every_user_can_read_is_a_warning() {
    let setup = Setup::new();
    let config = tls::install("first", setup.directory());
    let key = setup.directory().join("key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let server = setup.config(config).start();
    assert!(server.log().contains("every user of this machine can read the private key"));
    assert!(!start().log().contains("can read the private key"));
}
